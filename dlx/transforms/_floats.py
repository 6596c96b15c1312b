"""Numbers with a fraction. Torch-free: it only asks a tensor to convert itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def to_float(batch: Tensor) -> Tensor:
    """Return the batch as floating point numbers: itself, or float32 of integers and bytes."""
    return batch if batch.is_floating_point() else batch.float()
