"""Embeddings whose distances say what belongs together. B batch, E embedding, N samples of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchmetrics import CatMetric

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._unsupervised.module import UnsupervisedModule, unit
from dlx.tasks.metric_learning._distances_torch import squared
from dlx.tasks.metric_learning._names import HOLDOUT
from dlx.tasks.metric_learning._pairs_torch import contrastive, triplet
from dlx.tasks.metric_learning._retrieval_torch import retrieved

if TYPE_CHECKING:
    from dlx.tasks.metric_learning import MetricLearning

ASKED = 4000  # samples of a split that ask one another
GROUP, GROUPS = 256, 4  # samples among which the loss is measured, and how often


class MetricModule(UnsupervisedModule):
    """One encoder, whose embeddings are judged by what is near them."""

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MetricLearning
    ) -> None:
        super().__init__(networks, facts, learning, [])
        self.task = task
        self.unseen = torch.tensor([count == 0 for count in facts.class_counts])
        self.gathered = nn.ModuleDict({"embedding": CatMetric(), "target": CatMetric()})

    def embed(self, batch: Batch) -> Tensor:
        """Return the embeddings (B, E) of a batch."""
        embedding_BE: Tensor = self.run(self.task.default_role, batch)
        return unit(embedding_BE) if self.task.normalize else embedding_BE

    def learn(self, batch: Batch) -> None:
        self.note_loss(
            self.update(self.task.default_role, batch, lambda part: self.loss_of(self.embed(part), part["target"]))
        )

    def loss_of(self, embedding_BE: Tensor, target_B: Tensor) -> Tensor:
        """Return the mean loss of the pairs or triplets among samples."""
        distance_BB, same_BB = squared(embedding_BE, embedding_BE), target_B[:, None] == target_B
        if self.task.loss == "contrastive":
            return contrastive(distance_BB, same_BB, self.task.margin)
        return triplet(distance_BB, same_BB, self.task.margin, self.task.mining)

    # -- judging ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        for gathered in self.gathered.values():
            gathered.reset()  # type: ignore[operator]

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        embedding_BE = self.embed(batch)
        asking_B = index_B < ASKED
        self.gathered["embedding"].update(embedding_BE[asking_B])  # type: ignore[operator]
        self.gathered["target"].update(batch["target"][asking_B].float())  # type: ignore[operator]
        if self.keeps:
            self.outputs.add(batch["rows"], embedding=embedding_BE, target=batch["target"])
        return {}

    def summary(self, split: str) -> dict[str, Tensor]:
        embedding_NE = self.gathered["embedding"].compute()  # type: ignore[operator]
        target_N = self.gathered["target"].compute().long()  # type: ignore[operator]
        strange_N = self.unseen.to(target_N.device)[target_N]
        found = self._found(embedding_NE[~strange_N], target_N[~strange_N])
        if self.unseen.any():
            among = self._retrieved(embedding_NE[strange_N], target_N[strange_N])
            found |= {f"{HOLDOUT}{name}": value for name, value in among.items()}
        return found

    def _found(self, embedding_NE: Tensor, target_N: Tensor) -> dict[str, Tensor]:
        """Return the loss among samples, and how well they find one another."""
        pairs = zip(embedding_NE.split(GROUP)[:GROUPS], target_N.split(GROUP), strict=False)
        losses = [(self.loss_of(z, target) * len(z), len(z)) for z, target in pairs]
        total = sum((value for value, _ in losses), start=embedding_NE.new_zeros(()))
        loss = total / max(1, sum(count for _, count in losses))
        return {"loss": loss, **self._retrieved(embedding_NE, target_N)}

    def _retrieved(self, embedding_NE: Tensor, target_N: Tensor) -> dict[str, Tensor]:
        return retrieved(embedding_NE, target_N, self.task.recall_at, self.task.knn_neighbors)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.embed(batch)
