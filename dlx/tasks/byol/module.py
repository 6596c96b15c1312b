"""What a slowly following copy makes of the other view is predicted. P projection, V = 2B views."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.siamese_module import SiameseModule

if TYPE_CHECKING:
    from dlx.tasks.byol import BYOL


class BYOLModule(SiameseModule):
    """An encoder with projector and predictor, and a copy of the first two that follows."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: BYOL) -> None:
        super().__init__(networks, facts, learning, task)
        self.momentum = task.momentum
        self.following = MomentumEncoder(self.projecting)

    @torch.no_grad()
    def target(self, views: Tensor, projected_VP: Tensor) -> Tensor:
        target_VP: Tensor = self.following(views)
        return target_VP

    def cost(self, cosine_V: Tensor) -> Tensor:
        return 4 * (1 - cosine_V.mean())

    def remember(self, batch: Batch) -> None:
        super().remember(batch)
        self.following.follow(self.projecting, kept(self.momentum, self.trainer.global_step, self.planned_steps))


def kept(first: float, step: int, steps: int) -> float:
    """Return which share of the copy is kept in a step: from `first` to 1 as a cosine."""
    return 1 - (1 - first) * (math.cos(math.pi * step / steps) + 1) / 2
