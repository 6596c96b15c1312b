"""SimCLR: two views of a sample find one another among those of others. B batch, P projection, V = 2B views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.tasks._ssl.views_module import ContrastiveModule
from dlx.tasks._unsupervised.module import l2_normalize

if TYPE_CHECKING:
    from dlx.tasks.simclr import SimCLR


def nt_xent(one_BP: Tensor, other_BP: Tensor, temperature: float) -> Tensor:
    """Return the NT-Xent loss: the mean cross-entropy of finding each view's twin among all others of both batches."""
    views_VP = l2_normalize(torch.cat([one_BP, other_BP]))
    logits_VV = views_VP @ views_VP.T / temperature
    logits_VV = logits_VV.masked_fill(torch.eye(len(logits_VV), dtype=torch.bool, device=logits_VV.device), -torch.inf)
    twin_V = torch.arange(len(logits_VV), device=logits_VV.device).roll(len(one_BP))
    return F.cross_entropy(logits_VV, twin_V)


class SimCLRModule(ContrastiveModule):
    """An encoder and a projection head."""

    task: SimCLR

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        one_BP, other_BP = self.project(torch.cat([one, other])).chunk(2)
        return nt_xent(one_BP, other_BP, self.task.temperature)
