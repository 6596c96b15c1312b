from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink
from dlx.losses._weights import ClassWeight, class_weights, pos_weights

if TYPE_CHECKING:
    from torch import nn


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy: the negative log-likelihood of binary labels, with the sigmoid of the logit as probability.

    −y log σ(z) − (1 − y) log σ(−z), for every label; for two classes z = z₁ − z₀, which makes it the same function as
    cross_entropy. With label smoothing ε the target is y (1 − ε) + ε/2. The first choice for multi-label targets.

    Shapes:  logits (B, K), target (B, K) labels; or logits (B, 2), target (B,) class indices or (B, 2) probabilities.
    Units:   nats; a probability of one half gives ln 2.
    Raises:  ShapeError if there are more than two classes, or class_weight does not fit them.
    Source:  torch.nn.BCEWithLogitsLoss.

    Example:
        {type: binary_cross_entropy, class_weight: balanced}
    """

    primary: ClassVar[str] = "label_smoothing"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"labels": "sigmoid", "classes": "softmax"}
    type: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Probability that is taken from the right answer and spread over both."""
    class_weight: ClassWeight = None
    """A factor for each class, or for a label's positive samples (torch's pos_weight), as a list or by name (1 for
    those left out); `balanced`: inversely proportional to the frequency in the train split."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if facts.kind == "classes" and len(facts.classes) != 2:
            raise ShapeError(f"{self.type} is for two classes or labels, not {len(facts.classes)}; use cross_entropy")
        weigh = pos_weights if facts.kind == "labels" else class_weights
        weigh(self.class_weight, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.binary_cross_entropy.module import LabelsCrossEntropy, TwoClassesCrossEntropy

        if facts.kind == "labels":
            return LabelsCrossEntropy(self.label_smoothing, pos_weights(self.class_weight, facts))
        return TwoClassesCrossEntropy(self.label_smoothing, class_weights(self.class_weight, facts))

    def mean_weights(self, facts: DataFacts) -> list[float] | None:
        return None if facts.kind == "labels" else class_weights(self.class_weight, facts)

    def chance_level(self, facts: DataFacts) -> float | None:
        return None if facts.kind == "labels" and self.class_weight is not None else math.log(2)
