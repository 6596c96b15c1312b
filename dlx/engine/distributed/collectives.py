"""Collective operations between the processes of a run; where there is only one, they return what it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from dlx.rank import process_rank

T = TypeVar("T")


def rank() -> int:
    """Return the number of this process among those of the run."""
    here = process_rank()
    return here.rank if here is not None else 0


def is_shared() -> bool:
    """Say whether several processes train now."""
    return dist.is_initialized() and dist.get_world_size() > 1


def all_reduce_max(value: int) -> int:
    """Return the greatest of the numbers that the processes have."""
    if not is_shared():
        return value
    number = torch.tensor(value)
    dist.all_reduce(number, op=dist.ReduceOp.MAX)
    return int(number)


def all_reduce_min(value: int) -> int:
    """Return the smallest of the numbers that the processes have."""
    return -all_reduce_max(-value)


def broadcast(find: Callable[[], T]) -> T:
    """Return what rank 0 finds; the others do not look."""
    if not is_shared():
        return find()
    found = [find() if rank() == 0 else None]
    dist.broadcast_object_list(found, src=0)
    return found[0]  # type: ignore[return-value]


def all_gather(value: T) -> list[T]:
    """Return what every process has, in the order of ranks."""
    if not is_shared():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
