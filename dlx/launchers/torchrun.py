from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.launchers import Job, Launcher


class Torchrun(Launcher):
    """A script that starts the processes of a training by torchrun (elastic launch), on this machine or on several.

    On several machines the same script is started on each of them. torchrun starts all processes again when one dies,
    and training goes on from the last checkpoint.

    Source:  https://docs.pytorch.org/docs/stable/elastic/run.html

    Example:
        {type: torchrun, max_restarts: 3}
    """

    type: Literal["torchrun"] = "torchrun"
    client: ClassVar[str] = "bash"
    suffix: ClassVar[str] = ".sh"

    endpoint: str | None = Field(None, pattern=r"^[\w.\-]+:\d+$")
    """HOST:PORT of one of the machines, where all of them meet; needed for several."""
    max_restarts: int = Field(3, ge=0)
    """How often the processes are started again."""

    def text(self, job: Job) -> str:
        if job.nodes > 1:
            where = self.endpoint or "${ENDPOINT:?is HOST:PORT of the machine where all of them meet}"
            options = f'--rdzv_backend c10d --rdzv_endpoint "{where}" --rdzv_id {job.name}'
        else:
            options = "--standalone"
        return f"""#!/bin/bash
# {job.name}: {job.nodes} x {job.devices} processes. Run on each machine; started again, it goes on from its checkpoint.
set -euo pipefail
export DLX_JOB="${{DLX_JOB:-torchrun-{job.name}}}"
exec {job.torchrun(options, f"--max_restarts {self.max_restarts}")}
"""

    def submit(self, file: str) -> list[str]:
        return [self.client, file]
