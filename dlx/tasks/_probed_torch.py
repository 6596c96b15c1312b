"""Features that are judged while they are learned. B batch, F features, K classes, M kept features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._probing import PROBE, ROLE, Probing
from dlx.tasks._unsupervised import UnsupervisedModule
from dlx.tasks._update import Batch

GOLDEN = 0.6180339887498949  # multiples of it, without their whole parts, spread evenly
UNKNOWN = -1


class ProbedModule(UnsupervisedModule):
    """One encoder with heads; `each` names what a task measures of every sample by itself, besides the probe's."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        task: Probing,
        each: Sequence[str] = ("loss",),
    ) -> None:
        super().__init__(networks, facts, learning, [*each, *task.asked()])
        network: Any = networks[ROLE]
        self.head: Mapping[str, nn.Module] = dict(network.heads.named_children()) if hasattr(network, "heads") else {}
        self.probe_weight = task.probe_weight
        self.labels, self.neighbours = task.labels, task.neighbours if PROBE in self.head else 0
        if self.neighbours:
            width = next(self.head[PROBE].parameters()).shape[1]
            self.register_buffer("kept_MF", torch.zeros(task.memory, width))
            self.register_buffer("classes_M", torch.full((task.memory,), UNKNOWN))
            self.register_buffer("next_place", torch.tensor(0))
        self.kept_MF: Tensor
        self.classes_M: Tensor
        self.next_place: Tensor

    def loss_of(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a batch, and the features (B, F) of its samples."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """Return (B, F)."""
        network: Any = self.networks[ROLE]
        features_BF: Tensor = network.pool(network.body(x))
        return features_BF

    def embed(self, batch: Batch) -> Tensor:
        """Return the features (B, F) of each sample of a batch."""
        return self.features(self.input_of(batch))

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update(ROLE, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the task's loss and the probe's, which sends no gradient into the encoder."""
        loss, features_BF = self.loss_of(batch)
        if PROBE not in self.head:
            return loss
        features_BF, classes_B = features_BF.detach(), self._known(batch)
        if self.neighbours:
            self._keep(features_BF, classes_B)
        said_BK: Tensor = self.head[PROBE](features_BF)
        if not bool((classes_B != UNKNOWN).any()):
            return loss + 0.0 * said_BK.sum()
        return loss + self.probe_weight * F.cross_entropy(said_BK, classes_B, ignore_index=UNKNOWN)

    def _known(self, batch: Batch) -> Tensor:
        """Return the classes that may be seen in training, which are always those of the same samples."""
        share_B = torch.frac((batch["rows"] + 1).double() * GOLDEN)
        classes_B: Tensor = batch["target"].masked_fill(share_B > self.labels, UNKNOWN)
        return classes_B

    def _keep(self, features_BF: Tensor, classes_B: Tensor) -> None:
        """Put features whose class is known where the oldest are."""
        known_B = classes_B != UNKNOWN
        found_BF, found_B = features_BF[known_B][-len(self.kept_MF) :], classes_B[known_B][-len(self.kept_MF) :]
        places_B = (self.next_place + torch.arange(len(found_B), device=found_B.device)) % len(self.kept_MF)
        self.kept_MF[places_B] = F.normalize(found_BF.float(), dim=1)
        self.classes_M[places_B] = found_B
        self.next_place.copy_((self.next_place + len(found_B)) % len(self.kept_MF))

    # -- judging ------------------------------------------------------------------------------------------------------

    def judge(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        features_BF = self.embed(batch)
        found = self.judged(batch, index_B)
        if PROBE in self.head:
            found["probe_accuracy"] = (self.head[PROBE](features_BF).argmax(1) == batch["target"]).float()
        if self.neighbours:
            found["knn_accuracy"] = (self.voted(features_BF) == batch["target"]).float()
        if self.trainer.testing:
            self.outputs.add(batch["rows"], features=features_BF, **_classes(batch))
        return found

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return what the task measures of every sample, which depends on nothing but the sample and its number."""
        raise NotImplementedError

    def voted(self, features_BF: Tensor) -> Tensor:
        """Return the class for which most of the nearest kept features are, by the angle to them."""
        near_BM = F.normalize(features_BF.float(), dim=1) @ self.kept_MF.T
        near_BM = near_BM.masked_fill(self.classes_M == UNKNOWN, -2.0)
        index_BN = near_BM.topk(min(self.neighbours, near_BM.shape[1]), dim=1).indices
        votes_BK = F.one_hot(self.classes_M[index_BN].clamp_min(0), len(self.facts.classes)).sum(1)
        return votes_BK.argmax(1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the probe's probabilities (B, K), or the features (B, F) where there is none."""
        features_BF = self.embed(batch)
        return self.head[PROBE](features_BF).softmax(1) if PROBE in self.head else features_BF


def _classes(batch: Batch) -> dict[str, Tensor]:
    return {"target": batch["target"]} if "target" in batch else {}
