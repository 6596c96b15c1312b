from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink
from dlx.losses._weights import ClassWeight, class_weights, pos_weights
from dlx.rules import CheckContext, Problem, Rule, Severity

if TYPE_CHECKING:
    from torch import nn


class WeightedClass(Rule):
    """Focal loss weighs the last of two classes by `alpha`, and the other by 1 − alpha.

    Classes stand in the order of the alphabet, so that the last is `yes` of no and yes, but `legit` of fraud and legit.

    Why:      weighed the other way round, the rare class counts less than without a weight.
    Instead:  name the class that `alpha` weighs.
    Wrong:
        task: {type: classification, loss: {focal: {alpha: 0.75}}}
        data: {source: moons}
    Right:
        task: {type: classification, loss: {focal: {alpha: 0.75, positive: upper}}}
        data: {source: moons}
    """

    code: ClassVar[str] = "DLX509"
    severity: ClassVar[Severity] = "warning"


class Focal(Loss):
    """Focal loss: cross-entropy in which well-classified samples count less.

    −α (1 − p)^γ log p, where p is the probability of the right answer: softmax over classes, a sigmoid for each label.
    At γ = 0 it is cross-entropy; at γ = 2 an answer of p = 0.9 counts a hundredth. For rare classes among many easy
    samples.

    Shapes:  logits (B, K), target (B,) class indices or (B, K) probabilities; or (B, K) labels.
    Units:   nats.
    Raises:  ShapeError if alpha is given for more than two classes, or positive or class_weight does not fit them.
    Source:  Lin et al. 2017, arXiv:1708.02002; deviations: class_weight gives a weighted mean, as in cross_entropy.

    Example:
        {type: focal, gamma: 2.0, alpha: 0.25}
    """

    primary: ClassVar[str] = "gamma"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax", "labels": "sigmoid"}
    type: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)
    """Focusing parameter: how fast the weight of a sample falls as its answer gets better."""
    alpha: float | None = Field(None, gt=0, lt=1)
    """Factor of the positive one of two classes, or of labels that are true; the other gets 1 − alpha."""
    positive: str | None = None
    """The class that `alpha` weighs; null takes the last of two classes, in the order of the alphabet."""
    class_weight: ClassWeight = None
    """A factor for each class, or for a label's positive samples (torch's pos_weight), as a list or by name (1 for
    those left out); `balanced`: inversely proportional to the frequency in the train split."""

    @model_validator(mode="after")
    def _check_one_kind_of_weight(self) -> Self:
        if self.alpha is not None and self.class_weight is not None:
            raise ValueError("give alpha or class_weight, not both")
        if self.positive is not None and self.alpha is None:
            raise ValueError("`positive` names the class that `alpha` weighs: give alpha too")
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        classes = context.facts.classes
        if self.alpha is not None and self.positive is None and context.facts.kind == "classes" and len(classes) == 2:
            message = f"alpha weighs {classes[1]}, the last of two classes; `positive: {classes[0]}` takes the other"
            yield WeightedClass.at(message, "alpha")

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.alpha is not None and facts.kind == "classes" and len(facts.classes) != 2:
            raise ShapeError(f"focal: alpha is for two classes, not {len(facts.classes)}; use class_weight")
        if self.positive is not None:
            facts.class_index(self.positive)
        weigh = pos_weights if facts.kind == "labels" else class_weights
        weigh(self.class_weight, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.focal.module import FocalClasses, FocalLabels

        if facts.kind == "labels":
            positives = pos_weights(self.class_weight, facts) or [1.0] * len(facts.classes)
            return FocalLabels(self.gamma, *self._alphas(), positives)
        weights = class_weights(self.class_weight, facts) or [1.0] * len(facts.classes)
        return FocalClasses(self.gamma, self._class_alphas(facts), weights)

    def _class_alphas(self, facts: DataFacts) -> list[float]:
        """Return the factor of each class, which does not normalize the mean."""
        if self.alpha is None:
            return [1.0] * len(facts.classes)
        negative, positive = self._alphas()
        index = 1 if self.positive is None else facts.class_index(self.positive)
        return [positive if k == index else negative for k in range(2)]

    def _alphas(self) -> tuple[float, float]:
        """Return the factors of the negative and the positive class."""
        return (1.0, 1.0) if self.alpha is None else (1 - self.alpha, self.alpha)

    def mean_weights(self, facts: DataFacts) -> list[float] | None:
        return None if facts.kind == "labels" else class_weights(self.class_weight, facts)

    def chance_level(self, facts: DataFacts) -> float | None:
        if facts.kind == "labels" and self.class_weight is not None:
            return None
        answers = 2 if facts.kind == "labels" else len(facts.classes)
        focus: float = (1 - 1 / answers) ** self.gamma
        return math.log(answers) * focus * sum(self._alphas()) / 2
