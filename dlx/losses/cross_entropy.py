from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink
from dlx.losses._weights import ClassWeight, class_weights

if TYPE_CHECKING:
    import torch
    from torch import nn


class CrossEntropy(Loss):
    """Cross-entropy: the negative log-likelihood of the right class, with softmax probabilities of the logits.

    −log softmax(z)ₖ; with label smoothing ε the target is 1 − ε + ε/K for the right class and ε/K for each other. The
    first choice for one of K classes: its gradient, p − y, does not vanish while the answer is wrong.

    Shapes:  logits (B, K), target (B,) class indices or (B, K) probabilities.
    Units:   nats; the same probability for all K classes gives ln K.
    Raises:  ShapeError if class_weight does not fit the classes.
    Source:  torch.nn.CrossEntropyLoss; label smoothing of Szegedy et al. 2016, arXiv:1512.00567.

    Example:
        {type: cross_entropy, label_smoothing: 0.1}
    """

    primary: ClassVar[str] = "label_smoothing"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax"}
    type: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Probability that is taken from the right class and spread over all classes."""
    class_weight: ClassWeight = None
    """A factor for each class, as a list or by the names of classes (1 for those left out); `balanced`: inversely
    proportional to the frequency of the class in the train split."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        class_weights(self.class_weight, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        import torch
        from torch import nn

        weights = class_weights(self.class_weight, facts)
        return nn.CrossEntropyLoss(
            weight=None if weights is None else torch.tensor(weights), label_smoothing=self.label_smoothing
        )

    def mean_weights(self, facts: DataFacts) -> list[float] | None:
        return class_weights(self.class_weight, facts)

    def denominator(self, target: torch.Tensor, facts: DataFacts) -> torch.Tensor | int:
        return len(target) if target.is_floating_point() else super().denominator(target, facts)

    def chance_level(self, facts: DataFacts) -> float:
        return math.log(len(facts.classes))
