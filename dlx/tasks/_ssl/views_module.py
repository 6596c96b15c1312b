"""Multi-view learning: two augmented views of each sample, compared. B batch, P projection, V = 2B views: first all of
one kind, then of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.gradient_accumulation import Batch
from dlx.tasks._ssl.linear_probe import ProbedEncoder
from dlx.tasks._ssl.views_spec import ALIGNMENT, PROJECTOR, UNIFORMITY
from dlx.tasks._unsupervised.module import UnsupervisedModule, l2_normalize, value_range

if TYPE_CHECKING:
    from dlx.tasks._ssl.views_spec import MultiView

GROUP, GROUPS = 256, 4  # samples that are compared at a time where the loss is measured, and how often
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
        for layer in self.projection_layers:
            x = layer(x)
        return x

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
        if sum(map(len, self._seen)) < GROUP * GROUPS:
            self._seen.append(self.input_of(batch))
        return {}

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        """Return the loss among groups of samples, which are the same however they were batched."""
        samples = torch.cat(self._seen)[: GROUP * GROUPS]
        groups = samples.split(GROUP)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(0)
            losses = [self.view_loss(self.view(x), self.view(x)) * len(x) for x in groups]
            found = {"loss": torch.stack(losses).sum() / len(samples), **self.more_metrics(samples)}
            projections = [[self.project(self.view(x)) for _ in VIEWS] for x in groups]
        for name, measure in ((ALIGNMENT, alignment), (UNIFORMITY, uniformity)):
            found[name] = torch.stack([measure(*pair) * len(pair[0]) for pair in projections]).sum() / len(samples)
        return found

    def more_metrics(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what else is measured of samples together."""
        return {}


def alignment(one_BP: Tensor, other_BP: Tensor) -> Tensor:
    """Return the alignment: the mean squared distance of projections of two views, of length 1."""
    return (l2_normalize(one_BP) - l2_normalize(other_BP)).square().sum(1).mean()


def uniformity(one_BP: Tensor, other_BP: Tensor) -> Tensor:
    """Return the uniformity: log mean exp(−2 d²) over pairs of samples, the mean of both views; 0 of one sample."""
    pairs = [torch.pdist(l2_normalize(x_BP).float()).square() for x_BP in (one_BP, other_BP)]
    return torch.stack([d.mul(-2).exp().mean().log() if len(d) else d.new_zeros(()) for d in pairs]).mean()
