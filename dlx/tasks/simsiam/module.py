"""SimSiam: the projection of the other view, with a stopped gradient, is predicted. P projection, V = 2B views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlx.tasks._ssl.siamese import SiameseModule, cross_view_similarity

if TYPE_CHECKING:
    from dlx.tasks.simsiam import SimSiam


class SimSiamModule(SiameseModule):
    """An encoder with projector and predictor, and nothing else."""

    task: SimSiam

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return minus the mean cosine similarity of predictions and projections."""
        return -self.prediction_similarity(one, other)

    def prediction_similarity(self, one: Tensor, other: Tensor) -> Tensor:
        projection_VP = self.project(torch.cat([one, other]))
        target_VP = projection_VP.detach() if self.task.stop_gradient else projection_VP
        return cross_view_similarity(self.predictor(projection_VP), target_VP).mean()
