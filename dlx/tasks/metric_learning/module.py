"""Metric learning: embeddings whose distances say what belongs together. B batch, E embedding, N samples of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchmetrics import CatMetric

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._base.evaluation import GROUP_SIZE, GROUPS
from dlx.tasks._unsupervised.module import UnsupervisedModule, l2_normalize
from dlx.tasks.metric_learning._names import HOLDOUT
from dlx.tasks.metric_learning.distances import squared_distances
from dlx.tasks.metric_learning.pair_losses import contrastive_loss, triplet_loss
from dlx.tasks.metric_learning.retrieval import retrieval_metrics

if TYPE_CHECKING:
    from dlx.tasks.metric_learning import MetricLearning

MAX_QUERIES = 4000  # samples of a split that are searched among one another


class MetricLearningModule(UnsupervisedModule):
    """One encoder, whose embeddings are evaluated by their nearest neighbors."""

    task: MetricLearning

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MetricLearning
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.is_holdout_class = torch.tensor([count == 0 for count in facts.class_counts])
        self.collected = nn.ModuleDict({"embedding": CatMetric(), "target": CatMetric()})

    def embed(self, batch: Batch) -> Tensor:
        """Return the embeddings (B, E) of a batch."""
        embedding_BE: Tensor = self.network_output(self.task.default_role, batch)
        return l2_normalize(embedding_BE) if self.task.normalize else embedding_BE

    def loss(self, batch: Batch) -> Tensor:
        return self.pair_loss(self.embed(batch), batch["target"])

    def pair_loss(self, embedding_BE: Tensor, target_B: Tensor) -> Tensor:
        """Return the mean loss of the pairs or triplets among samples."""
        distance_BB, same_BB = squared_distances(embedding_BE, embedding_BE), target_B[:, None] == target_B
        if self.task.loss == "contrastive":
            return contrastive_loss(distance_BB, same_BB, self.task.margin)
        return triplet_loss(distance_BB, same_BB, self.task.margin, self.task.mining)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def on_split_start(self) -> None:
        for meter in self.collected.values():
            meter.reset()  # type: ignore[operator]

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        embedding_BE = self.embed(batch)
        is_query_B = index_B < MAX_QUERIES
        self.collected["embedding"].update(embedding_BE[is_query_B])  # type: ignore[operator]
        self.collected["target"].update(batch["target"][is_query_B].float())  # type: ignore[operator]
        if self.collects_outputs:
            self.outputs.add(batch["rows"], {"embedding": embedding_BE, "target": batch["target"]})
        return {}

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        embedding_NE = self.collected["embedding"].compute()  # type: ignore[operator]
        target_N = self.collected["target"].compute().long()  # type: ignore[operator]
        holdout_N = self.is_holdout_class.to(target_N.device)[target_N]
        found = {"loss": self._mean_loss(embedding_NE[~holdout_N], target_N[~holdout_N])}
        found |= self._retrieval(embedding_NE[~holdout_N], target_N[~holdout_N])
        if self.is_holdout_class.any():
            among = self._retrieval(embedding_NE[holdout_N], target_N[holdout_N])
            found |= {f"{HOLDOUT}{name}": value for name, value in among.items()}
        return found

    def _mean_loss(self, embedding_NE: Tensor, target_N: Tensor) -> Tensor:
        """Return the loss in groups of samples, which are the same however they were batched."""
        groups = zip(embedding_NE.split(GROUP_SIZE)[:GROUPS], target_N.split(GROUP_SIZE), strict=False)
        losses = [(self.pair_loss(z, target) * len(z), len(z)) for z, target in groups]
        total = sum((value for value, _ in losses), start=embedding_NE.new_zeros(()))
        return total / max(1, sum(count for _, count in losses))

    def _retrieval(self, embedding_NE: Tensor, target_N: Tensor) -> dict[str, Tensor]:
        return retrieval_metrics(embedding_NE, target_N, self.task.recall_at, self.task.knn_neighbors)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.embed(batch)
