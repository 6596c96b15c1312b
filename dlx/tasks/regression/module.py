"""Regression: the target is standardized for the loss, and measured in its own units."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.nn.wide import WIDE
from dlx.tasks import Learning
from dlx.tasks._supervised.module import SupervisedModule


class RegressionModule(SupervisedModule):
    """One network that predicts numbers.   B batch, K targets, Q quantiles or 1."""

    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
        standardize: bool,
    ) -> None:
        super().__init__(networks, facts, learning, loss, metrics)
        target = facts.fields["target"]
        known = target.stats if standardize else None
        width = target.elements
        std = [s or 1.0 for s in known.std] if known else [1.0] * width
        self.register_buffer("target_mean", torch.tensor(known.mean if known else [0.0] * width, dtype=WIDE))
        self.register_buffer("target_std", torch.tensor(std, dtype=WIDE))

    def predict(self, output_BK: Tensor) -> Tensor:
        prediction_BKQ = super().predict(output_BK).unflatten(1, (len(self.target_mean), -1))
        values_BKQ: Tensor = prediction_BKQ * self.target_std[:, None] + self.target_mean[:, None]
        return values_BKQ.flatten(1)

    def loss_of(self, output_BK: Tensor, target: Tensor) -> Tensor:
        scaled_BK = (target - self.target_mean) / self.target_std
        return super().loss_of(output_BK, scaled_BK.to(output_BK.dtype))
