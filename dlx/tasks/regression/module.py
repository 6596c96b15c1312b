"""Regression: the target is standardized for the loss, and measured in its own units.   B batch, K targets, Q quantiles
or 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.nn.wide import WIDE
from dlx.tasks import Learning
from dlx.tasks._supervised.module import SupervisedModule

if TYPE_CHECKING:
    from dlx.tasks.regression import Regression


class RegressionModule(SupervisedModule):
    """One network that predicts numbers."""

    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Regression
    ) -> None:
        super().__init__(networks, facts, learning, task)
        target = facts.fields["target"]
        stats = target.stats if task.standardize and task.loss.allows_standardization else None
        width = target.elements
        std = [s or 1.0 for s in stats.std] if stats else [1.0] * width
        self.register_buffer("target_mean", torch.tensor(stats.mean if stats else [0.0] * width, dtype=WIDE))
        self.register_buffer("target_std", torch.tensor(std, dtype=WIDE))

    def loss_output(self, output_BK: Tensor, batch: Batch) -> Tensor:
        return output_BK.to(self.loss_dtype)

    def loss_target(self, batch: Batch) -> Tensor:
        scaled_BK: Tensor = (batch["target"] - self.target_mean) / self.target_std
        return scaled_BK.to(self.loss_dtype)

    def predict(self, output_BK: Tensor, batch: Batch) -> Tensor:
        prediction_BKQ = super().predict(output_BK, batch).unflatten(1, (len(self.target_mean), -1))
        values_BKQ: Tensor = prediction_BKQ * self.target_std[:, None] + self.target_mean[:, None]
        return values_BKQ.flatten(1)
