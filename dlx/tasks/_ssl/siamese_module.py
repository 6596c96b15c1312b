"""One view's projection predicted from the other's. P projection, V = 2B views."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.siamese_spec import COLLAPSED, PREDICTION, PREDICTOR, SPREAD, Siamese
from dlx.tasks._ssl.views_module import MultiViewModule
from dlx.tasks._ssl.views_spec import PROJECTOR
from dlx.tasks._unsupervised.module import unit


class SiameseModule(MultiViewModule):
    """An encoder, a projector and a predictor; a task says what is to be predicted, and what a prediction costs."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Siamese) -> None:
        super().__init__(networks, facts, learning, task)
        self.notes: list[str] = []

    @property
    def projector(self) -> nn.Module:
        return self.head[PREDICTION].get_submodule(PROJECTOR)

    @property
    def predictor(self) -> nn.Module:
        """What makes a prediction of a projection."""
        return self.head[PREDICTION].get_submodule(PREDICTOR)

    def target(self, views: Tensor, projected_VP: Tensor) -> Tensor:
        """Return what is to be predicted of each view, given its own projection; no gradient flows through it."""
        raise NotImplementedError

    def cost(self, cosine_V: Tensor) -> Tensor:
        """Return the loss for the cosines between predictions and what they should be."""
        raise NotImplementedError

    def compared(self, one: Tensor, other: Tensor) -> Tensor:
        views = torch.cat([one, other])
        projected_VP = self.projector(self.features(views))
        target_VP = self.target(views, projected_VP).roll(len(one), dims=0)
        cosine_V = (unit(self.predictor(projected_VP)) * unit(target_VP)).sum(1)
        return self.cost(cosine_V)

    def known_of(self, samples: Tensor) -> dict[str, Tensor]:
        found = spread(self.projector(self.features(samples)))
        if self.trainer.testing:
            self.notes = _collapse(float(found))
        return {SPREAD: found}


def spread(projected_NP: Tensor) -> Tensor:
    """Return the mean standard deviation of projections of length 1, against that of directions that lie everywhere."""
    return unit(projected_NP).std(0, correction=0).mean() * math.sqrt(projected_NP.shape[1])


def _collapse(found: float) -> list[str]:
    if found >= COLLAPSED:
        return []
    return [f"the projections have collapsed: their spread is {found:.3f} of 1, so that all samples look the same"]
