"""Collective operations between the processes of a run: broadcast, all-gather, all-reduce; one process has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from dlx.rank import process_rank

T = TypeVar("T")


def rank() -> int:
    """Return the rank of this process among those of the run."""
    here = process_rank()
    return here.rank if here is not None else 0


def is_distributed() -> bool:
    """Return whether several processes train together now."""
    return dist.is_initialized() and dist.get_world_size() > 1


def all_reduce_max(value: int) -> int:
    """All-reduce: return the greatest of the numbers that the processes have."""
    if not is_distributed():
        return value
    number = torch.tensor(value)
    dist.all_reduce(number, op=dist.ReduceOp.MAX)
    return int(number)


def all_reduce_min(value: int) -> int:
    """All-reduce: return the smallest of the numbers that the processes have."""
    return -all_reduce_max(-value)


def barrier() -> None:
    """Wait until every process has come here."""
    if is_distributed():
        dist.barrier()


def broadcast(find: Callable[[], T]) -> T:
    """Broadcast: return what `find` returns at rank 0; the others do not call it."""
    if not is_distributed():
        return find()
    found = [find() if rank() == 0 else None]
    dist.broadcast_object_list(found, src=0)
    return found[0]  # type: ignore[return-value]


def all_gather(value: T) -> list[T]:
    """All-gather: return what every process has, in the order of ranks."""
    if not is_distributed():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
