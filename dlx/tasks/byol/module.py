"""BYOL: the projection that a momentum encoder makes of the other view is predicted. P projection, V = 2B views."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.gradient_accumulation import Batch
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.siamese import PredictionHead, collapse_notes, cosine_to_other_view, projection_std
from dlx.tasks._ssl.siamese_spec import COSINE_SIMILARITY, PROJECTION_STD
from dlx.tasks._ssl.views_module import MultiViewModule

if TYPE_CHECKING:
    from dlx.tasks.byol import BYOL


class BYOLModule(MultiViewModule):
    """An encoder with projector and predictor, and a momentum encoder of the first two."""

    task: BYOL

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: BYOL) -> None:
        super().__init__(networks, facts, learning, task)
        self.momentum_encoder = MomentumEncoder(self.projection_layers)
        self.notes: list[str] = []

    @property
    def projector(self) -> nn.Module:
        return PredictionHead(self.encoder).projector

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return ‖p − z′‖² of predictions and projections of length 1, added for both directions."""
        return 4 * (1 - self._cosine_similarity(one, other))

    def _cosine_similarity(self, one: Tensor, other: Tensor) -> Tensor:
        views, head = torch.cat([one, other]), PredictionHead(self.encoder)
        prediction_VP = head.predictor(head.projector(self.encoder(views)))
        with torch.no_grad():
            target_VP = self.momentum_encoder(views)
        return cosine_to_other_view(prediction_VP, target_VP).mean()

    def after_step(self, batch: Batch) -> None:
        super().after_step(batch)
        momentum = momentum_at(self.task.momentum, self.trainer.global_step, self.total_steps)
        self.momentum_encoder.update(self.projection_layers, momentum)

    def view_metrics(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        return {**super().view_metrics(one, other), COSINE_SIMILARITY: self._cosine_similarity(one, other)}

    def more_metrics(self, samples: Tensor) -> dict[str, Tensor]:
        std = projection_std(self.projector(self.encoder(samples)))
        if self.trainer.testing:
            self.notes = collapse_notes(float(std))
        return {PROJECTION_STD: std}


def momentum_at(first: float, step: int, steps: int) -> float:
    """Return the momentum in a step: from `first` to 1 as a cosine."""
    return 1 - (1 - first) * (math.cos(math.pi * step / steps) + 1) / 2
