"""MoCo: queries find their keys among a queue of the keys of others. B batch, P projection, Q queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.queue import FeatureQueue
from dlx.tasks._ssl.views_module import ContrastiveModule
from dlx.tasks._unsupervised.module import l2_normalize

if TYPE_CHECKING:
    from dlx.tasks.moco import MoCo


def info_nce(query_BP: Tensor, key_BP: Tensor, others_QP: Tensor, temperature: float) -> Tensor:
    """Return the InfoNCE loss: the mean cross-entropy of finding each query's key among others. All are of length 1."""
    own_B1 = (query_BP * key_BP).sum(1, keepdim=True)
    logits = torch.cat([own_B1, query_BP @ others_QP.T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


class MoCoModule(ContrastiveModule):
    """An encoder with a projection head, a momentum encoder of both, and a queue of its keys."""

    task: MoCo

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MoCo) -> None:
        super().__init__(networks, facts, learning, task)
        self.momentum_encoder = MomentumEncoder(self.projection_layers)
        self.queue = FeatureQueue({"keys_QP": l2_normalize(torch.randn(task.queue_size, task.projection_dim))})
        self._new_keys: list[Tensor] = []

    def view_loss(self, one: Tensor, other: Tensor) -> Tensor:
        query_BP = l2_normalize(self.project(one))
        with torch.no_grad():
            key_BP = l2_normalize(self.momentum_encoder(other))
        if self.training:
            self._new_keys.append(key_BP)
        keys_QP: Tensor = self.queue.get_buffer("keys_QP")
        return info_nce(query_BP, key_BP, keys_QP, self.task.temperature)

    def after_step(self, batch: Batch) -> None:
        """Put the keys of a batch into the queue, in however many micro-batches and however often they were made."""
        super().after_step(batch)
        self.queue.enqueue({"keys_QP": torch.cat(self._new_keys)[-len(batch["rows"]) :]})
        self._new_keys.clear()
        self.momentum_encoder.update(self.projection_layers, self.task.momentum)
