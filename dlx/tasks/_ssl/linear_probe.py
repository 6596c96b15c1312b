"""Linear probe and k-NN: features are evaluated while they are learned.

B batch, F features, K classes, M in the memory bank
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.low_discrepancy import kronecker_sequence
from dlx.nn.protocols import Batch
from dlx.tasks._ssl.encoder import FeatureEncoder
from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.queue import FeatureQueue
from dlx.tasks._ssl.spec import PROBE, ROLE, UNTRAINED, EncoderTask, FeatureEvaluation
from dlx.tasks._unsupervised.module import l2_normalize

UNKNOWN = -1
CLASSES = "classes"


class LinearProbe(nn.Module):
    """Evaluates the features of an encoder: a task holds it as it holds metrics.

    The linear classifiers are heads of the encoder's network, so that its optimizer trains them. They learn from a
    memory bank of the features that were seen last, send no gradient into the encoder, and see as many samples in
    every step, however few have a label.
    """

    def __init__(self, encoder: FeatureEncoder, evaluate: FeatureEvaluation, facts: DataFacts) -> None:
        super().__init__()
        self.encoder, self.options, self.classes = encoder, evaluate, len(facts.classes)
        self.probes = evaluate.probes()
        self.untrained = MomentumEncoder(encoder.layers) if UNTRAINED in self.probes else None
        size = evaluate.bank_size(facts)
        width = next(encoder.heads[PROBE].parameters()).shape[1] if self.probes else 0
        features = {probe: torch.zeros(size, width) for probe in self.probes}
        self.bank = FeatureQueue({**features, CLASSES: torch.full((size,), UNKNOWN)}) if self.probes else None

    # -- training -----------------------------------------------------------------------------------------------------

    def loss(self, samples: int) -> Tensor | float:
        """Return the probes' loss on so many samples of the memory bank."""
        if self.bank is None:
            return 0.0
        classes_M = self.bank.get_buffer(CLASSES)
        drawn_B = torch.randint(self.bank.size, (samples,), device=classes_M.device)
        weight, total = self.options.probe_loss_weight, torch.zeros((), device=classes_M.device)
        for probe in self.probes:
            logits_BK = self.encoder.heads[probe](self.bank.get_buffer(probe)[drawn_B])
            total = total + weight * _labeled_cross_entropy(logits_BK, classes_M[drawn_B])
        return total

    def add_to_bank(self, x: Tensor, batch: Batch) -> None:
        """Add a batch's labeled samples to the memory bank: their features, as in an evaluation."""
        if self.bank is None:
            return
        classes_B = self.visible_classes(batch)
        is_known_B = classes_B != UNKNOWN
        x = x[is_known_B]
        rows = {PROBE: self.encoder.evaluate(x), CLASSES: classes_B[is_known_B]}
        if self.untrained is not None:
            with torch.no_grad():
                rows[UNTRAINED] = self.untrained.eval()(x)
        self.bank.enqueue(rows)

    def visible_classes(self, batch: Batch) -> Tensor:
        """Return the classes (B,) that may be seen in training, always those of the same samples; −1 for others."""
        share_B = kronecker_sequence(batch["rows"].double())
        classes_B: Tensor = batch["target"].masked_fill(share_B > self.options.label_fraction, UNKNOWN)
        return classes_B

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate(self, features_BF: Tensor, x: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return whether each sample's class is found, for every metric."""
        found = {}
        if PROBE in self.probes:
            found["probe_accuracy"] = self._is_correct(PROBE, features_BF, batch)
        if self.untrained is not None:
            found["untrained_probe_accuracy"] = self._is_correct(UNTRAINED, self.untrained(x), batch)
        if "knn_accuracy" in self.options.metric_names():
            found["knn_accuracy"] = (self.predict_knn(features_BF) == batch["target"]).float()
        return found

    def _is_correct(self, probe: str, features_BF: Tensor, batch: Batch) -> Tensor:
        logits_BK: Tensor = self.encoder.heads[probe](features_BF)
        return (logits_BK.argmax(1) == batch["target"]).float()

    def predict_knn(self, features_BF: Tensor) -> Tensor:
        """Return the class of most of the nearest features in the memory bank, by cosine similarity (k-NN)."""
        assert self.bank is not None
        classes_M = self.bank.get_buffer(CLASSES)
        similarity_BM = l2_normalize(features_BF) @ l2_normalize(self.bank.get_buffer(PROBE)).T
        similarity_BM = similarity_BM.masked_fill(classes_M == UNKNOWN, -2.0)
        neighbors = min(self.options.knn_neighbors, similarity_BM.shape[1])
        index_BN = similarity_BM.topk(neighbors, dim=1).indices
        votes_BK = F.one_hot(classes_M[index_BN].clamp_min(0), self.classes).sum(1)
        return votes_BK.argmax(1)

    def predict(self, features_BF: Tensor) -> Tensor:
        """Return the probe's probabilities (B, K), or the features (B, F) where there is none."""
        return self.encoder.heads[PROBE](features_BF).softmax(1) if PROBE in self.probes else features_BF


class ProbedEncoder:
    """What a module with an encoder shares, whatever it learns: embeddings are its features, and a probe reads them."""

    networks: nn.ModuleDict
    facts: DataFacts
    task: EncoderTask
    probe: LinearProbe | None
    input_of: Callable[[Batch], Tensor]

    @property
    def encoder(self) -> FeatureEncoder:
        """The encoder, which makes features of samples."""
        return FeatureEncoder(self.networks[ROLE])

    def build_probe(self) -> LinearProbe:
        """Return what evaluates the features."""
        return LinearProbe(self.encoder, self.task.evaluate, self.facts)

    def embed(self, batch: Batch) -> Tensor:
        """Return the features (B, F) of each sample of a batch."""
        return self.encoder(self.input_of(batch))

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the probe's probabilities (B, K), or the features (B, F) where there is none."""
        assert self.probe is not None
        return self.probe.predict(self.embed(batch))


def _labeled_cross_entropy(logits_BK: Tensor, classes_B: Tensor) -> Tensor:
    """Return the mean cross-entropy of the samples whose class is known; 0 if that is none."""
    if not bool((classes_B != UNKNOWN).any()):
        return 0.0 * logits_BK.sum()
    return F.cross_entropy(logits_BK, classes_B, ignore_index=UNKNOWN)
