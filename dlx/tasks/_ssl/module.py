"""Features that are judged while they are learned. B batch, F features, K classes, M kept features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch, is_lost
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.queue import FeatureQueue
from dlx.tasks._ssl.spec import PROBE, ROLE, UNTRAINED, Probing
from dlx.tasks._unsupervised.module import UnsupervisedModule, unit

GOLDEN = 0.6180339887498949  # multiples of it, without their whole parts, spread evenly
UNKNOWN = -1
CLASSES = "classes"


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
        super().__init__(networks, facts, learning, [*each, *task.evaluate.metric_names()])
        network: Any = networks[ROLE]
        self.head: Mapping[str, nn.Module] = dict(network.heads.named_children()) if hasattr(network, "heads") else {}
        evaluate = task.evaluate
        self.probe_weight = evaluate.probe_loss_weight
        self.labels, self.neighbors = evaluate.label_fraction, evaluate.knn_neighbors if PROBE in self.head else 0
        self.untrained = MomentumEncoder(self.encoding) if UNTRAINED in self.head else None
        self.probes = [probe for probe in (PROBE, UNTRAINED) if probe in self.head]
        self.kept = self._memory(min(evaluate.memory_bank, math.ceil(evaluate.label_fraction * facts.counts["train"])))

    def _memory(self, size: int) -> FeatureQueue:
        """Return an empty memory of classes and of the features that each probe learns from."""
        width = next(self.head[PROBE].parameters()).shape[1] if self.probes else 0
        features = {probe: torch.zeros(size, width) for probe in self.probes}
        return FeatureQueue({**features, CLASSES: torch.full((size,), UNKNOWN)})

    @property
    def encoding(self) -> list[nn.Module]:
        """What makes features of a sample, in order."""
        network: Any = self.networks[ROLE]
        return [network.body, network.pool]

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """Return (B, F)."""
        for module in self.encoding:
            x = module(x)
        return x

    def resting(self, x: Tensor) -> Tensor:
        """Return features (B, F) as they are where the encoder is judged, and no gradient."""
        states = [(module, module.training) for part in self.encoding for module in part.modules()]
        for module, _ in states:
            module.training = False
        with torch.no_grad():
            features_BF = self.features(x)
        for module, training in states:
            module.training = training
        return features_BF

    def embed(self, batch: Batch) -> Tensor:
        """Return the features (B, F) of each sample of a batch."""
        return self.features(self.input_of(batch))

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        loss = self.update_together(list(self.networks), batch, self.objective)
        self.note_loss(loss)
        if not is_lost(loss):
            self.remember(batch)

    def objective(self, batch: Batch) -> Tensor:
        """Return the task's loss and the probes', which learn from features that are kept.

        They send no gradient into the encoder, and see as many samples in every step, however few have a label.
        """
        loss = self.loss_of(batch)
        if not self.probes:
            return loss
        drawn_B = torch.randint(self.kept.size, (len(batch["rows"]),), device=loss.device)
        classes_B = self.kept.get_buffer(CLASSES)[drawn_B]
        for probe in self.probes:
            said_BK = self.head[probe](self.kept.get_buffer(probe)[drawn_B])
            loss = loss + self.probe_weight * _classified(said_BK, classes_B)
        return loss

    def remember(self, batch: Batch) -> None:
        """Keep what is needed of a batch after its step: features, as they are judged, of samples with a label."""
        if not self.probes:
            return
        classes_B = self._known(batch)
        known_B = classes_B != UNKNOWN
        x = self.input_of(batch)[known_B]
        kept = {PROBE: self.resting(x), CLASSES: classes_B[known_B]}
        if self.untrained is not None:
            with torch.no_grad():
                kept[UNTRAINED] = self.untrained.eval()(x)
        self.kept.put(kept)

    def _known(self, batch: Batch) -> Tensor:
        """Return the classes that may be seen in training, which are always those of the same samples."""
        share_B = torch.frac((batch["rows"] + 1).double() * GOLDEN)
        classes_B: Tensor = batch["target"].masked_fill(share_B > self.labels, UNKNOWN)
        return classes_B

    # -- judging ------------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        features_BF = self.embed(batch)
        found = self.judged(batch, index_B)
        if PROBE in self.head:
            found["probe_accuracy"] = self._right(PROBE, features_BF, batch)
        if self.untrained is not None:
            found["untrained_probe_accuracy"] = self._right(UNTRAINED, self.untrained(self.input_of(batch)), batch)
        if self.neighbors:
            found["knn_accuracy"] = (self.voted(features_BF) == batch["target"]).float()
        if self.keeps:
            self.outputs.add(batch["rows"], features=features_BF, **_classes(batch))
        return found

    def _right(self, probe: str, features_BF: Tensor, batch: Batch) -> Tensor:
        said_BK: Tensor = self.head[probe](features_BF)
        return (said_BK.argmax(1) == batch["target"]).float()

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return what the task measures of every sample, which depends on nothing but the sample and its number."""
        raise NotImplementedError

    def voted(self, features_BF: Tensor) -> Tensor:
        """Return the class for which most of the nearest kept features are, by the angle to them."""
        classes_M = self.kept.get_buffer(CLASSES)
        near_BM = unit(features_BF) @ unit(self.kept.get_buffer(PROBE)).T
        near_BM = near_BM.masked_fill(classes_M == UNKNOWN, -2.0)
        index_BN = near_BM.topk(min(self.neighbors, near_BM.shape[1]), dim=1).indices
        votes_BK = F.one_hot(classes_M[index_BN].clamp_min(0), len(self.facts.classes)).sum(1)
        return votes_BK.argmax(1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the probe's probabilities (B, K), or the features (B, F) where there is none."""
        features_BF = self.embed(batch)
        return self.head[PROBE](features_BF).softmax(1) if PROBE in self.head else features_BF


def _classified(said_BK: Tensor, classes_B: Tensor) -> Tensor:
    """Return the mean cross-entropy of the samples whose class is known; of none, nothing."""
    if not bool((classes_B != UNKNOWN).any()):
        return 0.0 * said_BK.sum()
    return F.cross_entropy(said_BK, classes_B, ignore_index=UNKNOWN)


def _classes(batch: Batch) -> dict[str, Tensor]:
    return {"target": batch["target"]} if "target" in batch else {}
