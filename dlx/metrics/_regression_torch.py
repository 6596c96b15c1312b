"""Regression metrics in double precision.   B batch, K values a sample, F target columns, K = steps · F."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.wrappers.abstract import WrapperMetric

from dlx.nn.wide import WIDE


class Float64Metric(WrapperMetric):
    """A metric of (value − shift) / scale in float64, of all columns or of one.

    Sums of float32 lose what targets far from zero differ by.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, metric: torchmetrics.Metric, shift: Sequence[float], scale: Sequence[float], column: int | None
    ) -> None:
        super().__init__()
        self.column = column
        self.metric: Any = metric.set_dtype(WIDE)
        self.register_buffer("shift", torch.tensor(shift, dtype=WIDE), persistent=False)
        self.register_buffer("scale", torch.tensor(scale, dtype=WIDE), persistent=False)

    def update(self, prediction_BK: Tensor, target_BK: Tensor) -> None:
        """Add a batch."""
        self.metric.update(self._transform(prediction_BK), self._transform(target_BK))

    def compute(self) -> Tensor:
        """Return the metric of all batches."""
        value: Tensor = self.metric.compute()
        return value

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        super().reset()

    def _transform(self, values_BK: Tensor) -> Tensor:
        values_BSF = (values_BK.to(WIDE).reshape(len(values_BK), -1, len(self.shift)) - self.shift) / self.scale
        return (values_BSF if self.column is None else values_BSF[..., self.column]).flatten(1)


class R2(torchmetrics.Metric):
    """1 − Σ (ŷ − y)² / Σ (y − ȳ)², averaged over the columns in which targets differ; nan where none do.

    torchmetrics' R2Score raises an error on fewer than two samples, and takes a small variance for none.
    """

    higher_is_better = True
    full_state_update = False
    count: Tensor
    residual: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        for name in ("residual", "total", "squares"):
            self.add_state(name, torch.zeros(columns, dtype=WIDE), dist_reduce_fx="sum")

    def update(self, prediction_BK: Tensor, target_BK: Tensor) -> None:
        """Add a batch."""
        target_BK = target_BK.reshape(len(target_BK), -1)
        self.count += len(target_BK)
        self.residual += (prediction_BK.reshape(target_BK.shape) - target_BK).square().sum(0)
        self.total += target_BK.sum(0)
        self.squares += target_BK.square().sum(0)

    def compute(self) -> Tensor:
        """Return the mean over columns."""
        variation_K = self.squares - self.total.square() / self.count
        rounding_K = torch.finfo(WIDE).eps * self.count * self.squares
        return torch.where(variation_K > rounding_K, 1 - self.residual / variation_K, torch.nan).nanmean()
