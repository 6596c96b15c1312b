"""(x − center) / width with constants that follow the batch to its device. Imports torch: only from within `build`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dlx.tensors import TensorSpec
from dlx.transforms._stats import broadcast


class Centered:
    """Computes (x − center) / width on batches, one center and width a channel; integers become floats on the way.

    The difference is taken first, so that a large mean costs no digits.
    """

    def __init__(self, x: TensorSpec, center: Sequence[float], width: Sequence[float]) -> None:
        dtype = getattr(torch, x.dtype) if x.is_float else torch.float32
        self.center = torch.tensor(center, dtype=dtype).reshape(broadcast(x, len(center)))
        self.width = torch.tensor(width, dtype=dtype).reshape(broadcast(x, len(width)))

    def __call__(self, batch: Tensor) -> Tensor:
        """Map a batch (B, *dims)."""
        if self.center.device != batch.device:
            self.center, self.width = self.center.to(batch.device), self.width.to(batch.device)
        return (batch - self.center).div_(self.width)
