from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.launchers import Job, Launcher, shell_lines

PORT = 29500


class Slurm(Launcher):
    """A batch script for SLURM (sbatch), which is put back into the queue when its time is up, and then resumes.

    SLURM sends SIGTERM to the script `grace` seconds before the end; the script hands it to the training, which saves a
    checkpoint, and asks for the next try. (The signal does not go through srun, which would kill the training.) `runs`
    lies where the script was submitted, on a file system that all nodes share.

    Units:   grace is in seconds.
    Source:  https://slurm.schedmd.com/sbatch.html

    Example:
        {type: slurm, time: "04:00:00", partition: gpu}
    """

    type: Literal["slurm"] = "slurm"
    client: ClassVar[str] = "sbatch"
    suffix: ClassVar[str] = ".sbatch"

    time: str | None = Field(None, pattern=r"^(\d+-)?\d+(:\d+){0,2}$")
    """Time limit of one try, as D-HH:MM:SS; without it that of the partition."""
    partition: str | None = Field(None, pattern=r"^[\w\-,]+$")
    """Where the job waits."""
    account: str | None = Field(None, pattern=r"^[\w\-.]+$")
    """Who pays."""
    cpus: int = Field(4, ge=1)
    """CPU cores of each device."""
    memory: str | None = Field(None, pattern=r"^\d+[KMGT]?$")
    """Memory of each node, as 32G."""
    grace: int = Field(120, ge=1)
    """Time between the signal and the end of the job."""

    def text(self, job: Job) -> str:
        options = {
            "job-name": job.name,
            "nodes": job.nodes,
            "ntasks-per-node": 1,
            "cpus-per-task": self.cpus * job.devices,
            "gpus-per-node": job.devices if job.has_gpus else None,
            "mem": self.memory,
            "time": self.time,
            "partition": self.partition,
            "account": self.account,
            "signal": f"B:TERM@{self.grace}",
            "requeue": True,
            "open-mode": "append",
            "output": f"{job.name}-%j.log",
        }
        return f"""#!/bin/bash
{shell_lines(options, "#SBATCH")}
set -u
export DLX_JOB="slurm-$SLURM_JOB_ID"

requeue() {{
  trap '' TERM
  scancel --signal=TERM "$SLURM_JOB_ID"
  wait "$training"
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
}}
trap requeue TERM
{_start(job)} &
training=$!
wait "$training"
"""

    def submit(self, file: str) -> list[str]:
        return [self.client, file]


def _start(job: Job) -> str:
    if job.nodes == 1:
        return f"srun {job.command}"
    head = 'head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
    meet = f'--rdzv_backend c10d --rdzv_endpoint "$head:{PORT}" --rdzv_id "$SLURM_JOB_ID"'
    return f"{head}\nsrun {job.torchrun(meet)}"
