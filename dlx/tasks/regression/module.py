"""Regression in units of the target's deviation, measured in its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.tasks import Learning
from dlx.tasks._supervised.module import SupervisedModule


class RegressionModule(SupervisedModule):
    """One network that predicts numbers."""

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
        self.register_buffer("target_mean", torch.tensor(known.mean if known else [0.0] * width))
        self.register_buffer("target_std", torch.tensor([s or 1.0 for s in known.std] if known else [1.0] * width))

    def predict(self, output_BK: Tensor) -> Tensor:
        return super().predict(output_BK) * self.target_std + self.target_mean

    def loss_of(self, output_BK: Tensor, target: Tensor) -> Tensor:
        return super().loss_of(output_BK, (target - self.target_mean) / self.target_std)
