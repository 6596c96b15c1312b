from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._weights import ClassWeights, weights_of_classes

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(Loss):
    """The negative logarithm of the probability that softmax gives to the right class.

    −log softmax(z)ₖ; with label smoothing ε the target is 1 − ε + ε/K for the right class and ε/K for each other. The
    first choice for one of K classes: its gradient, p − y, does not vanish while the answer is wrong.

    Shapes:  output (B, K), target (B,) indices or (B, K) probabilities.
    Units:   nats; the same probability for all K classes gives ln K.
    Raises:  ShapeError if class_weights does not fit the classes.
    Source:  torch.nn.CrossEntropyLoss; label smoothing of Szegedy et al. 2016, arXiv:1512.00567.

    Example:
        {type: cross_entropy, label_smoothing: 0.1}
    """

    primary: ClassVar[str] = "label_smoothing"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Probability that is taken from the right class and spread over all."""
    class_weights: ClassWeights = None
    """One factor a class, or `balanced`: inversely as frequent as the class is in the train split."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        weights_of_classes(self.class_weights, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        import torch
        from torch import nn

        weights = weights_of_classes(self.class_weights, facts)
        return nn.CrossEntropyLoss(
            weight=None if weights is None else torch.tensor(weights), label_smoothing=self.label_smoothing
        )

    def chance(self, facts: DataFacts) -> float:
        return math.log(len(facts.classes))
