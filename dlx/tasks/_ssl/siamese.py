"""Siamese networks: one view's projection predicted from the other's. P projection, V = 2B views, N samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.encoder import FeatureEncoder
from dlx.tasks._ssl.siamese_spec import COLLAPSED, COSINE_SIMILARITY, PREDICTION, PREDICTOR, PROJECTION_STD
from dlx.tasks._ssl.views_module import MultiViewModule
from dlx.tasks._ssl.views_spec import PROJECTOR
from dlx.tasks._unsupervised.module import l2_normalize

if TYPE_CHECKING:
    from dlx.tasks._ssl.siamese_spec import Siamese


class PredictionHead:
    """The heads of a siamese network: a projector of features, and a predictor of the other view's projection."""

    def __init__(self, encoder: FeatureEncoder) -> None:
        head = encoder.heads[PREDICTION]
        self.projector: nn.Module = head.get_submodule(PROJECTOR)
        self.predictor: nn.Module = head.get_submodule(PREDICTOR)


class SiameseModule(MultiViewModule):
    """An encoder with projector and predictor; a task says what is predicted in `prediction_similarity`."""

    task: Siamese

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Siamese) -> None:
        super().__init__(networks, facts, learning, task)
        self.notes: list[str] = []

    @property
    def projector(self) -> nn.Module:
        return PredictionHead(self.encoder).projector

    @property
    def predictor(self) -> nn.Module:
        """The prediction head: from a projection to that of the other view."""
        return PredictionHead(self.encoder).predictor

    def prediction_similarity(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the mean cosine similarity of predictions and what they predict."""
        raise NotImplementedError

    def view_metrics(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        return {**super().view_metrics(one, other), COSINE_SIMILARITY: self.prediction_similarity(one, other)}

    def extra_metrics(self, samples: Tensor) -> dict[str, Tensor]:
        std = projection_std(self.project(samples))
        if self.trainer.testing:
            self.notes = collapse_notes(float(std))
        return {PROJECTION_STD: std}


def cross_view_similarity(prediction_VP: Tensor, target_VP: Tensor) -> Tensor:
    """Return the cosine similarity (V,) of each view's prediction and the other view's target."""
    other_VP = target_VP.roll(len(target_VP) // 2, dims=0)
    return (l2_normalize(prediction_VP) * l2_normalize(other_VP)).sum(1)


def projection_std(projection_NP: Tensor) -> Tensor:
    """Return the mean standard deviation of projections of length 1, over that of directions that lie everywhere."""
    return l2_normalize(projection_NP).std(0, correction=0).mean() * math.sqrt(projection_NP.shape[1])


def collapse_notes(std: float) -> list[str]:
    """Return a sentence that says so, where the projections have collapsed."""
    if std >= COLLAPSED:
        return []
    return [f"the projections have collapsed: their spread is {std:.3f} of 1, so that all samples look the same"]
