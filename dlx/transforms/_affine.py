"""Linear maps with constants for each channel, which follow the batch to its device. Imported within `build` alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dlx.tensors import TensorSpec
from dlx.transforms._floats import to_float
from dlx.transforms._stats import broadcast_shape


class _PerChannel:
    """Two constants for each channel, in the shape that stretches over a batch of the field x."""

    def __init__(self, x: TensorSpec, first: Sequence[float], second: Sequence[float]) -> None:
        dtype = getattr(torch, x.dtype) if x.is_float else torch.float32
        self.first = torch.tensor(first, dtype=dtype).reshape(broadcast_shape(x, len(first)))
        self.second = torch.tensor(second, dtype=dtype).reshape(broadcast_shape(x, len(second)))

    def on(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Return both constants on the batch's device; they are moved once."""
        if self.first.device != batch.device:
            self.first, self.second = self.first.to(batch.device), self.second.to(batch.device)
        return self.first, self.second


class Standardize(_PerChannel):
    """Computes (x − center) / width. The difference is taken first, so that a large mean costs no digits."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Map a batch (B, *dims)."""
        center, width = self.on(batch)
        return (to_float(batch) - center).div_(width)


class ScaleShift(_PerChannel):
    """Computes factor·x + shift."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Map a batch (B, *dims)."""
        factor, shift = self.on(batch)
        return torch.addcmul(shift, to_float(batch), factor)
