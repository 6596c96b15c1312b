"""SimSiam: the projection of the other view, with a stopped gradient, is predicted. P projection, V = 2B views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.siamese import PredictionHead, collapse_notes, cosine_to_other_view, projection_std
from dlx.tasks._ssl.siamese_spec import COSINE_SIMILARITY, PROJECTION_STD
from dlx.tasks._ssl.views_module import MultiViewModule

if TYPE_CHECKING:
    from dlx.tasks.simsiam import SimSiam


class SimSiamModule(MultiViewModule):
    """An encoder with projector and predictor, and nothing else."""

    task: SimSiam

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: SimSiam) -> None:
        super().__init__(networks, facts, learning, task)
        self.notes: list[str] = []

    @property
    def projector(self) -> nn.Module:
        return PredictionHead(self.encoder).projector

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return minus the mean cosine similarity of predictions and projections."""
        return -self._cosine_similarity(one, other)

    def _cosine_similarity(self, one: Tensor, other: Tensor) -> Tensor:
        views, head = torch.cat([one, other]), PredictionHead(self.encoder)
        projection_VP = head.projector(self.encoder(views))
        target_VP = projection_VP.detach() if self.task.stop_gradient else projection_VP
        return cosine_to_other_view(head.predictor(projection_VP), target_VP).mean()

    def view_metrics(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        return {**super().view_metrics(one, other), COSINE_SIMILARITY: self._cosine_similarity(one, other)}

    def more_metrics(self, samples: Tensor) -> dict[str, Tensor]:
        std = projection_std(self.projector(self.encoder(samples)))
        if self.trainer.testing:
            self.notes = collapse_notes(float(std))
        return {PROJECTION_STD: std}
