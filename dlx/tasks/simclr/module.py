"""Two views of a sample find one another. B batch, P projection, V = 2B views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.views_module import MultiViewModule
from dlx.tasks._unsupervised.module import unit

if TYPE_CHECKING:
    from dlx.tasks.simclr import SimCLR


def nt_xent(one_BP: Tensor, other_BP: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy with which each view finds its twin among all others of both batches."""
    views_VP = unit(torch.cat([one_BP, other_BP]))
    scores_VV = views_VP @ views_VP.T / temperature
    scores_VV = scores_VV.masked_fill(torch.eye(len(scores_VV), dtype=torch.bool, device=scores_VV.device), -torch.inf)
    twin_V = torch.arange(len(scores_VV), device=scores_VV.device).roll(len(one_BP))
    return F.cross_entropy(scores_VV, twin_V)


class SimCLRModule(MultiViewModule):
    """An encoder and a projection head."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: SimCLR) -> None:
        super().__init__(networks, facts, learning, task)
        self.temperature = task.temperature

    def compared(self, one: Tensor, other: Tensor) -> Tensor:
        one_BP, other_BP = self.projector(self.features(torch.cat([one, other]))).chunk(2)
        return nt_xent(one_BP, other_BP, self.temperature)
