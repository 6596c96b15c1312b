"""BYOL: the projection that a momentum encoder makes of the other view is predicted. P projection, V = 2B views."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.siamese import SiameseModule, cross_view_similarity

if TYPE_CHECKING:
    from dlx.tasks.byol import BYOL


class BYOLModule(SiameseModule):
    """An encoder with projector and predictor, and a momentum encoder of the first two."""

    task: BYOL

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: BYOL) -> None:
        super().__init__(networks, facts, learning, task)
        self.momentum_encoder = MomentumEncoder(self.projection_layers)

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return ‖p − z′‖² of predictions and projections of length 1, added for both directions."""
        return 4 * (1 - self.prediction_similarity(one, other))

    def prediction_similarity(self, one: Tensor, other: Tensor) -> Tensor:
        views = torch.cat([one, other])
        prediction_VP = self.predictor(self.project(views))
        with torch.no_grad():
            target_VP = self.momentum_encoder(views)
        return cross_view_similarity(prediction_VP, target_VP).mean()

    def after_step(self, batch: Batch) -> None:
        super().after_step(batch)
        momentum = momentum_at(self.task.momentum, self.trainer.global_step, self.total_steps)
        self.momentum_encoder.update(self.projection_layers, momentum)


def momentum_at(first: float, step: int, steps: int) -> float:
    """Return the momentum in a step: from `first` to 1 as a cosine."""
    return 1 - (1 - first) * (math.cos(math.pi * step / steps) + 1) / 2
