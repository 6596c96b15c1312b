"""Rank: which process of a run this one is, and of which job, by the environment variables of what started it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dlx.console import echo

NEEDED = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "MASTER_PORT")
"""Environment variables that together make a process one of several, as torchrun sets them."""
CLUSTER_VARIABLES = (*NEEDED[:4], "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS",
                     "SLURM_NTASKS_PER_NODE", "JSM_NAMESPACE_RANK")  # fmt: skip
"""Environment variables by which Lightning would find itself in a cluster."""


@dataclass(frozen=True)
class ProcessRank:
    """Where a process stands among those of its run, which were started from outside (as torchrun does) or by dlx."""

    rank: int
    local_rank: int
    local_world_size: int
    world_size: int


JOB_VARIABLES = ("DLX_JOB", "SLURM_JOB_ID", "SKYPILOT_TASK_ID", "TORCHELASTIC_RUN_ID")
"""Environment variables that name a job, and keep their value when it is tried again; the first that is set counts."""


def job_id() -> str | None:
    """Return what names the job of this process, the same in every try of it; None outside of one."""
    found = ((name, os.environ.get(name)) for name in JOB_VARIABLES)
    return next((f"{name}={value}" for name, value in found if value and value != "none"), None)


def process_rank() -> ProcessRank | None:
    """Return this process among those of its run; None where it is the only one so far."""
    if not _are_numbers(*NEEDED):
        return None
    rank, local_rank, local_world_size, world_size, _ = (int(os.environ[name]) for name in NEEDED)
    return ProcessRank(rank, local_rank, local_world_size, world_size)


def _are_numbers(*names: str) -> bool:
    values = [os.environ.get(name, "") for name in names]
    return all(value.isascii() and value.isdigit() for value in values)


def ignore_incomplete_cluster() -> None:
    """Take back what would make Lightning join a cluster of which this process is no part, and say so once.

    Leftovers of another job in a shell, such as RANK or SLURM_PROCID, are no cluster: one has a rank among a number of
    processes, and a port to meet at.
    """
    if _are_numbers("RANK", "WORLD_SIZE", "MASTER_PORT"):  # what torch itself needs to form a process group
        return
    found = {name: os.environ.pop(name) for name in CLUSTER_VARIABLES if name in os.environ}
    leftovers = [f"{name}={value}" for name, value in found.items() if value not in ("0", "1")]  # of more processes
    if leftovers:
        echo(f"note: {', '.join(leftovers)} ignored: one of several processes has {', '.join(NEEDED)}", error=True)


def is_worker() -> bool:
    """Return whether another process of the same run prints, writes and tracks for this one."""
    here = process_rank()
    return here is not None and here.rank > 0
