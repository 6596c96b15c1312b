"""Two views of each sample, compared. B batch, P projection, V = 2B views: first all of one kind, then of the other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.module import ProbedModule
from dlx.tasks._ssl.views_spec import PROJECTOR, MultiView
from dlx.tasks._unsupervised.module import span

GROUP, GROUPS = 256, 4  # samples that are compared at a time where the loss is measured, and how often


class MultiViewModule(ProbedModule):
    """An encoder that learns by comparing views; a task says how in `compared`."""

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MultiView
    ) -> None:
        super().__init__(networks, facts, learning, task, each=())
        self.low, high = span(self.spec)
        self.width = high - self.low or 1.0
        self.changes = [view.build(self.spec, 0) for view in task.views]
        self._seen: list[Tensor] = []

    @property
    def projector(self) -> nn.Module:
        """What makes a projection of features."""
        return self.head[PROJECTOR]

    @property
    def projecting(self) -> list[nn.Module]:
        """What makes a projection of a sample, in order."""
        return [*self.encoding, self.projector]

    def compared(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the mean loss of two views of the same samples."""
        raise NotImplementedError

    def loss_of(self, batch: Batch) -> Tensor:
        x = self.input_of(batch)
        return self.compared(self.changed(x), self.changed(x))

    def changed(self, x: Tensor) -> Tensor:
        """Return a view of every sample; augmentations see values from 0 to 1."""
        x = (x - self.low) / self.width
        for change in self.changes:
            x, _ = change(x, None)
        return x * self.width + self.low

    # -- judging ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._seen = []

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        if sum(map(len, self._seen)) < GROUP * GROUPS:
            self._seen.append(self.input_of(batch))
        return {}

    def summary(self, split: str) -> dict[str, Tensor]:
        """Return the loss among groups of samples, which are the same however they were batched."""
        samples = torch.cat(self._seen)[: GROUP * GROUPS]
        groups = samples.split(GROUP)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(0)
            losses = [self.compared(self.changed(x), self.changed(x)) * len(x) for x in groups]
            return {"loss": torch.stack(losses).sum() / len(samples), **self.known_of(samples)}

    def known_of(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what else is measured of samples together."""
        return {}
