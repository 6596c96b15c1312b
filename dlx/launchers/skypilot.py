from __future__ import annotations

from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field

from dlx.installation import DISTRIBUTION
from dlx.launchers import Job, Launcher
from dlx.version import __version__

PORT = 29500
RUNS = "/dlx-runs"
"""Where a bucket is mounted."""


class Skypilot(Launcher):
    """A SkyPilot task for any cloud, as a managed job: where a spot machine is taken away, another one goes on.

    Without `bucket` the checkpoints go with the machine.

    Source:  https://docs.skypilot.co/en/latest/reference/yaml-spec.html

    Example:
        {type: skypilot, accelerators: "A100:1", bucket: my-runs}
    """

    type: Literal["skypilot"] = "skypilot"
    client: ClassVar[str] = "sky"
    suffix: ClassVar[str] = ".sky.yaml"

    accelerators: str | None = Field(None, pattern=r"^[\w\-.]+:\d+$")
    """GPUs of each node, as A100:1; without it the job gets `cpus` alone."""
    cpus: str = Field("4+", pattern=r"^\d+\+?$")
    """CPU cores of each node, or at least so many."""
    spot: bool = True
    """Whether machines are rented that may be taken away, for less money."""
    bucket: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.\-]+$")
    """Bucket in which runs are kept."""

    def text(self, job: Job) -> str:
        resources = {"accelerators": self.accelerators, "cpus": self.cpus, "use_spot": self.spot}
        task: dict[str, Any] = {
            "name": job.name,
            "num_nodes": job.nodes,
            "resources": {key: value for key, value in resources.items() if value is not None},
            "workdir": ".",
            "setup": f"pip install '{DISTRIBUTION}=={__version__}'\n",
            "run": self._run(job),
        }
        if self.bucket is not None:
            task["file_mounts"] = {RUNS: {"name": self.bucket, "mode": "MOUNT"}}
        return str(yaml.safe_dump(task, sort_keys=False, allow_unicode=True, width=200))

    def _run(self, job: Job) -> str:
        lines = ["set -e", 'export DLX_JOB="$SKYPILOT_TASK_ID"']
        if self.bucket is not None:
            lines.append(f"ln -sfn {RUNS} runs")
        if job.nodes == 1:
            return "\n".join([*lines, job.command, ""])
        head = 'head=$(echo "$SKYPILOT_NODE_IPS" | head -n 1)'
        meet = f'--node_rank "$SKYPILOT_NODE_RANK" --master_addr "$head" --master_port {PORT}'
        return "\n".join([*lines, head, job.torchrun(meet), ""])

    def submit(self, file: str) -> list[str]:
        return [self.client, "jobs", "launch", "--yes", file]
