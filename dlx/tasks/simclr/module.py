"""Two views of a sample find one another. B batch, P projection, V = 2B views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._probed_torch import ProbedModule
from dlx.tasks._unsupervised import span
from dlx.tasks._update import Batch

if TYPE_CHECKING:
    from dlx.tasks.simclr import SimCLR

GROUP, GROUPS = 256, 4  # samples among which twins are sought where the loss is measured, and how often


def nt_xent(one_BP: Tensor, other_BP: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy with which each view finds its twin among all others of both batches."""
    views_VP = F.normalize(torch.cat([one_BP, other_BP]).float(), dim=1)
    scores_VV = views_VP @ views_VP.T / temperature
    scores_VV = scores_VV.masked_fill(torch.eye(len(scores_VV), dtype=torch.bool, device=scores_VV.device), -torch.inf)
    twin_V = torch.arange(len(scores_VV), device=scores_VV.device).roll(len(one_BP))
    return F.cross_entropy(scores_VV, twin_V)


class SimCLRModule(ProbedModule):
    """An encoder and a projection head."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: SimCLR) -> None:
        super().__init__(networks, facts, learning, task, each=())
        self.temperature = task.temperature
        self.low, high = span(self.spec)
        self.width = high - self.low or 1.0
        self.changes = [view.build(self.spec, 0) for view in task.views]
        self._seen: list[Tensor] = []

    def changed(self, x: Tensor) -> Tensor:
        """Return a view of every sample; augmentations see values from 0 to 1."""
        x = (x - self.low) / self.width
        for change in self.changes:
            x, _ = change(x, None)
        return x * self.width + self.low

    def loss_of(self, batch: Batch) -> tuple[Tensor, Tensor]:
        x = self.input_of(batch)
        features_VF = self.features(torch.cat([self.changed(x), self.changed(x)]))
        one_BP, other_BP = self.head["projector"](features_VF).chunk(2)
        return nt_xent(one_BP, other_BP, self.temperature), features_VF[: len(x)]

    # -- judging ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._seen = []

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        if sum(map(len, self._seen)) < GROUP * GROUPS:
            self._seen.append(self.input_of(batch))
        return {}

    def summary(self, split: str) -> dict[str, Tensor]:
        """Return the loss among groups of samples, which are the same however they were batched."""
        groups = torch.cat(self._seen)[: GROUP * GROUPS].split(GROUP)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(0)
            pairs = [(self._projected(x), self._projected(x)) for x in groups]
        losses = torch.stack([nt_xent(*pair, self.temperature) * len(pair[0]) for pair in pairs])
        return {"loss": losses.sum() / sum(map(len, groups))}

    def _projected(self, x: Tensor) -> Tensor:
        projected_BP: Tensor = self.head["projector"](self.features(self.changed(x)))
        return projected_BP
