"""Queries find their keys among the keys of others. B batch, P projection, Q queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.queue import FeatureQueue
from dlx.tasks._ssl.views_module import MultiViewModule
from dlx.tasks._unsupervised.module import unit

if TYPE_CHECKING:
    from dlx.tasks.moco import MoCo


def info_nce(query_BP: Tensor, key_BP: Tensor, others_QP: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy with which each query finds its key among those of others, all of length 1."""
    own_B1 = (query_BP * key_BP).sum(1, keepdim=True)
    scores = torch.cat([own_B1, query_BP @ others_QP.T], dim=1) / temperature
    return F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))


class MoCoModule(MultiViewModule):
    """An encoder with a projection head, a copy of both that follows, and a queue of what the copy made."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MoCo) -> None:
        super().__init__(networks, facts, learning, task)
        self.temperature, self.momentum = task.temperature, task.momentum
        self.following = MomentumEncoder(self.projecting)
        self.queue = FeatureQueue({"keys_QP": unit(torch.randn(task.queue_size, task.projection_dim))})
        self._fresh: list[Tensor] = []

    def compared(self, one: Tensor, other: Tensor) -> Tensor:
        query_BP = unit(self.projector(self.features(one)))
        with torch.no_grad():
            key_BP = unit(self.following(other))
        if self.training:
            self._fresh.append(key_BP)
        keys_QP: Tensor = self.queue.get_buffer("keys_QP")
        return info_nce(query_BP, key_BP, keys_QP, self.temperature)

    def remember(self, batch: Batch) -> None:
        """Put the keys of a batch into the queue, in however many micro-batches and however often they were made."""
        super().remember(batch)
        self.queue.put({"keys_QP": torch.cat(self._fresh)[-len(batch["rows"]) :]})
        self._fresh.clear()
        self.following.follow(self.projecting, self.momentum)
