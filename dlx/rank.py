"""Rank: which process of a run this one is, by the environment variables that torchrun sets."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessRank:
    """Where a process stands among those of its run, which were started from outside (as torchrun does) or by dlx."""

    rank: int
    local_rank: int
    local_world_size: int
    world_size: int


def process_rank() -> ProcessRank | None:
    """Return this process among those of its run; None where it is the only one so far."""
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE")
    values = [os.environ.get(name, "") for name in (*names, "MASTER_PORT")]
    if not all(value.isdigit() for value in values):
        return None
    rank, local_rank, local_world_size, world_size, _ = map(int, values)
    return ProcessRank(rank, local_rank, local_world_size, world_size)


def is_worker() -> bool:
    """Return whether another process of the same run prints, writes and tracks for this one."""
    here = process_rank()
    return here is not None and here.rank > 0
