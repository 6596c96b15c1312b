"""Multi-view learning: two augmented views of each sample, compared. B batch, P projection, V = 2B views: first all of
one kind, then of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._base.evaluation import GROUP_SIZE, GROUPS
from dlx.tasks._ssl.linear_probe import ProbedEncoder
from dlx.tasks._ssl.views_spec import CONTRASTIVE_ACCURACY, PROJECTOR
from dlx.tasks._unsupervised.module import UnsupervisedModule, l2_normalize, value_range

if TYPE_CHECKING:
    from dlx.tasks._ssl.views_spec import MultiView

VIEWS = ("view_1", "view_2")
"""Fields of a batch: its samples, augmented in two ways."""


class MultiViewModule(ProbedEncoder, UnsupervisedModule):
    """An encoder that learns by comparing views; a task says how in `view_loss`."""

    task: MultiView

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MultiView
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.low, high = value_range(self.spec)
        self.width = high - self.low or 1.0
        self.augmentations = [view.build(self.spec, 0) for view in task.views]
        self._seen: list[Tensor] = []

    @property
    def projector(self) -> nn.Module:
        """The projection head: from features to a projection."""
        return self.encoder.heads[PROJECTOR]

    @property
    def projection_layers(self) -> list[nn.Module]:
        """What makes a projection of a sample, in order."""
        return [*self.encoder.layers, self.projector]

    def project(self, x: Tensor) -> Tensor:
        """Return the projections (B, P) of samples."""
        projection_BP: Tensor = self.projector(self.encoder(x))
        return projection_BP

    # -- loss ---------------------------------------------------------------------------------------------------------

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the mean loss of two views of the same samples."""
        raise NotImplementedError

    def prepare_step(self, batch: Batch) -> Batch:
        x = self.input_of(batch)
        return {**batch, **{name: self.view(x) for name in VIEWS}}

    def loss(self, batch: Batch) -> Tensor:
        return self.view_loss(*(batch[name] for name in VIEWS))

    def view(self, x: Tensor) -> Tensor:
        """Return an augmented view of every sample; augmentations see values from 0 to 1."""
        x = (x - self.low) / self.width
        for augmentation in self.augmentations:
            x, _ = augmentation(x, None)
        return x * self.width + self.low

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def on_split_start(self) -> None:
        self._seen = []

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        if sum(map(len, self._seen)) < GROUP_SIZE * GROUPS:
            self._seen.append(self.input_of(batch))
        return {}

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        """Return what is measured among groups of samples, which are the same however they were batched."""
        samples = torch.cat(self._seen)[: GROUP_SIZE * GROUPS]
        totals: dict[str, Tensor] = {}
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(0)
            for x in samples.split(GROUP_SIZE):
                for name, value in self.view_metrics(self.view(x), self.view(x)).items():
                    totals[name] = totals.get(name, 0.0) + value * len(x)
            return {name: total / len(samples) for name, total in totals.items()} | self.extra_metrics(samples)

    def view_metrics(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        """Return what is measured of two views of the same samples."""
        return {"loss": self.view_loss(one, other)}

    def extra_metrics(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what is measured of the samples as they are."""
        return {}


class ContrastiveModule(MultiViewModule):
    """An encoder whose views find their twins among those of other samples."""

    def view_metrics(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        accuracy = contrastive_accuracy(self.project(one), self.project(other))
        return {**super().view_metrics(one, other), CONTRASTIVE_ACCURACY: accuracy}


def contrastive_accuracy(one_BP: Tensor, other_BP: Tensor) -> Tensor:
    """Return the fraction of views whose twin is the nearest of all others of both batches, by cosine similarity."""
    views_VP = l2_normalize(torch.cat([one_BP, other_BP]))
    similarity_VV = (views_VP @ views_VP.T).fill_diagonal_(-2.0)
    twin_V = torch.arange(len(views_VP), device=views_VP.device).roll(len(one_BP))
    return (similarity_VV.argmax(1) == twin_V).float().mean()
