from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._weights import ClassWeights, weights_of_classes, weights_of_positives

if TYPE_CHECKING:
    from torch import nn


class Focal(Loss):
    """Cross-entropy in which a sample counts the less, the better it is already answered.

    −α (1 − p)^γ log p, where p is the probability of the right answer: softmax over classes, a sigmoid for each label.
    At γ = 0 it is cross-entropy; at γ = 2 an answer of p = 0.9 counts a hundredth. For rare classes among many easy
    samples.

    Shapes:  output (B, K), target (B,) indices or (B, K) probabilities; or (B, K) labels.
    Units:   nats.
    Raises:  ShapeError if alpha is given for more than two classes, or class_weights does not fit them.
    Source:  Lin et al. 2017, arXiv:1708.02002; deviations: class_weights make a weighted mean, as in cross_entropy.

    Example:
        {type: focal, gamma: 2.0, alpha: 0.25}
    """

    primary: ClassVar[str] = "gamma"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)
    """How fast a well answered sample fades."""
    alpha: float | None = Field(None, gt=0, lt=1)
    """Factor of the last of two classes, or of labels that are true; the other gets 1 − alpha."""
    class_weights: ClassWeights = None
    """One factor a class, or a label's positive samples; `balanced`: inversely as frequent as in the train split."""

    @model_validator(mode="after")
    def _one_kind_of_weight(self) -> Self:
        if self.alpha is not None and self.class_weights is not None:
            raise ValueError("give alpha or class_weights, not both")
        return self

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.alpha is not None and facts.kind == "classes" and len(facts.classes) != 2:
            raise ShapeError(f"focal: alpha weighs two classes, not {len(facts.classes)}; use class_weights")
        weigh = weights_of_positives if facts.kind == "labels" else weights_of_classes
        weigh(self.class_weights, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.focal.module import FocalClasses, FocalLabels

        if facts.kind == "labels":
            positives = weights_of_positives(self.class_weights, facts) or [1.0] * len(facts.classes)
            return FocalLabels(self.gamma, *self._sides(), positives)
        weights = weights_of_classes(self.class_weights, facts) or [1.0] * len(facts.classes)
        return FocalClasses(self.gamma, None if self.alpha is None else self._sides(), weights)

    def _sides(self) -> tuple[float, float]:
        """Return the factors of no and yes."""
        return (1.0, 1.0) if self.alpha is None else (1 - self.alpha, self.alpha)

    def chance(self, facts: DataFacts) -> float | None:
        if facts.kind == "labels" and self.class_weights is not None:
            return None
        answers = 2 if facts.kind == "labels" else len(facts.classes)
        fade: float = (1 - 1 / answers) ** self.gamma
        return math.log(answers) * fade * sum(self._sides()) / 2
