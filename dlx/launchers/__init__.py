"""Launchers: the text of a job that trains a recipe elsewhere, and the client that submits it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dlx.component import Component


@dataclass(frozen=True)
class Job:
    """What a job trains, and on what.

    name         of the recipe, which is that of the job
    recipe       path of the recipe, as the job will find it
    overrides    values that are changed, as on the command line
    nodes        machines, each with so many devices
    devices      processes on each machine
    accelerator  what devices are: cpu, gpu, or auto for GPUs where there are some
    """

    name: str
    recipe: str
    overrides: Sequence[str] = ()
    nodes: int = 1
    devices: int = 1
    accelerator: str = "auto"

    @property
    def has_gpus(self) -> bool:
        """Whether the job asks for GPUs."""
        return self.accelerator != "cpu"

    @property
    def words(self) -> list[str]:
        """What follows `dlx` on the command line: everything that a recipe leaves to the machine is written out."""
        hardware = {
            "hardware.accelerator": self.accelerator,
            "hardware.devices": self.devices,
            "hardware.num_nodes": self.nodes,
        }
        sizes = [f"{path}={value}" for path, value in hardware.items()]
        return ["train", self.recipe, *self.overrides, *sizes, "--resume", "auto"]

    @property
    def command(self) -> str:
        """The line for a shell that trains on one machine: dlx starts the processes of all devices itself."""
        return shlex.join(["dlx", *self.words])

    def torchrun(self, *options: str) -> str:
        """Return the line for a shell that trains on several machines; `options` say how they find each other.

        The options are shell text: variables in them are replaced on the machine that runs the job.
        """
        size = f"--nnodes {self.nodes} --nproc_per_node {self.devices}"
        return " ".join(["torchrun", size, *options, "-m", "dlx", shlex.join(self.words)])


class Launcher(Component):
    """How a recipe is trained elsewhere: the text of the job, with nothing hidden, and who submits it.

    The job trains with `--resume auto`: when it is put back into the queue, or its machine is taken away, the next try
    goes on from the last checkpoint. The folder `runs` has to outlive the machine.
    """

    family = "launchers"
    client: ClassVar[str]
    """The program that submits a job."""
    suffix: ClassVar[str]
    """How the file of a job's text ends."""

    def text(self, job: Job) -> str:
        """Return the text of a job."""
        raise NotImplementedError

    def submit(self, file: str) -> list[str]:
        """Return the command that submits the file of a job's text."""
        raise NotImplementedError


def shell_lines(values: Mapping[str, Any], prefix: str) -> str:
    """Return options as lines of a script, such as `#SBATCH --time=60`; those that are None are left out."""
    return "\n".join(
        f"{prefix} --{name}" if value is True else f"{prefix} --{name}={value}"
        for name, value in values.items()
        if value is not None
    )
