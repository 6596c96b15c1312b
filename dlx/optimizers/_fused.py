"""When torch's fused kernels serve: one pass over memory for the whole update, instead of one per operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Group = dict[str, Any]


def use_fused(groups: Sequence[Group], devices: tuple[str, ...] = ("cpu", "cuda")) -> bool | None:
    """Return True where every parameter is real floating point, not sharded, and on one of these kinds of device.

    Otherwise None, with which torch chooses by itself: foreach kernels on CUDA, a plain loop elsewhere.
    """
    parameters: list[torch.Tensor] = [p for group in groups for p in group["params"]]
    whole = not any(hasattr(p, "to_local") for p in parameters)  # few of the kernels know parameters in parts
    serves = whole and all(p.is_floating_point() and p.device.type in devices for p in parameters)
    return True if serves else None
