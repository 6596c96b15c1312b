"""Mean absolute scaled error.   B batch, K = steps · F columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchmetrics
from torch import Tensor


class MeanAbsoluteScaledError(torchmetrics.Metric):
    """mean |prediction − target| / scale, with one scale a column."""

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    scales: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, scales: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("scales", torch.tensor(scales), persistent=False)
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction_BK: Tensor, target_BK: Tensor) -> None:
        """Add a batch."""
        error_BTF = (prediction_BK - target_BK).abs().unflatten(-1, (-1, len(self.scales)))
        self.total += (error_BTF / self.scales).sum(dtype=self.total.dtype)
        self.count += error_BTF.numel()

    def compute(self) -> Tensor:
        """Return the mean of all batches."""
        return (self.total / self.count).float()
