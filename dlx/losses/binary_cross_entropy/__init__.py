from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._weights import ClassWeights, weights_of_classes, weights_of_positives

if TYPE_CHECKING:
    from torch import nn


class BinaryCrossEntropy(Loss):
    """The negative logarithm of the probability that a sigmoid gives to the right one of two answers.

    −y log σ(z) − (1 − y) log σ(−z), for every label; for two classes z = z₁ − z₀, which makes it the same function as
    cross_entropy. With label smoothing ε the target is y (1 − ε) + ε/2. The first choice where several labels may be
    true.

    Shapes:  output (B, K), target (B, K) labels; or output (B, 2), target (B,) indices or (B, 2) probabilities.
    Units:   nats; a probability of one half gives ln 2.
    Raises:  ShapeError if there are more than two classes, or class_weights does not fit them.
    Source:  torch.nn.BCEWithLogitsLoss.

    Example:
        {type: binary_cross_entropy, class_weights: balanced}
    """

    primary: ClassVar[str] = "label_smoothing"
    kinds: ClassVar[tuple[Kind, ...]] = ("labels", "classes")
    type: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Probability that is taken from the right answer and spread over both."""
    class_weights: ClassWeights = None
    """One factor a class, or a label's positive samples; `balanced`: inversely as frequent as in the train split."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if facts.kind == "classes" and len(facts.classes) != 2:
            raise ShapeError(f"{self.type} judges two classes or labels, not {len(facts.classes)}; use cross_entropy")
        weigh = weights_of_positives if facts.kind == "labels" else weights_of_classes
        weigh(self.class_weights, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.binary_cross_entropy.module import LabelsCrossEntropy, TwoClassesCrossEntropy

        if facts.kind == "labels":
            return LabelsCrossEntropy(self.label_smoothing, weights_of_positives(self.class_weights, facts))
        return TwoClassesCrossEntropy(self.label_smoothing, weights_of_classes(self.class_weights, facts))

    def chance(self, facts: DataFacts) -> float | None:
        return None if facts.kind == "labels" and self.class_weights is not None else math.log(2)
