from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink
from dlx.losses._weights import ClassWeight, class_weights, pos_weights

if TYPE_CHECKING:
    from torch import nn


class Focal(Loss):
    """Focal loss: cross-entropy in which well-classified samples count less.

    −α (1 − p)^γ log p, where p is the probability of the right answer: softmax over classes, a sigmoid for each label.
    At γ = 0 it is cross-entropy; at γ = 2 an answer of p = 0.9 counts a hundredth. For rare classes among many easy
    samples.

    Shapes:  logits (B, K), target (B,) class indices or (B, K) probabilities; or (B, K) labels.
    Units:   nats.
    Raises:  ShapeError if alpha is given for more than two classes, or class_weight does not fit them.
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
    """Factor of the last of two classes, or of labels that are true; the other gets 1 − alpha."""
    class_weight: ClassWeight = None
    """A factor for each class, or for a label's positive samples (torch's pos_weight), as a list or by name (1 for
    those left out); `balanced`: inversely proportional to the frequency in the train split."""

    @model_validator(mode="after")
    def _check_one_kind_of_weight(self) -> Self:
        if self.alpha is not None and self.class_weight is not None:
            raise ValueError("give alpha or class_weight, not both")
        return self

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.alpha is not None and facts.kind == "classes" and len(facts.classes) != 2:
            raise ShapeError(f"focal: alpha is for two classes, not {len(facts.classes)}; use class_weight")
        weigh = pos_weights if facts.kind == "labels" else class_weights
        weigh(self.class_weight, facts)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.focal.module import FocalClasses, FocalLabels

        if facts.kind == "labels":
            positives = pos_weights(self.class_weight, facts) or [1.0] * len(facts.classes)
            return FocalLabels(self.gamma, *self._alphas(), positives)
        weights = class_weights(self.class_weight, facts) or [1.0] * len(facts.classes)
        return FocalClasses(self.gamma, None if self.alpha is None else self._alphas(), weights)

    def _alphas(self) -> tuple[float, float]:
        """Return the factors of the negative and the positive class."""
        return (1.0, 1.0) if self.alpha is None else (1 - self.alpha, self.alpha)

    def chance_level(self, facts: DataFacts) -> float | None:
        if facts.kind == "labels" and self.class_weight is not None:
            return None
        answers = 2 if facts.kind == "labels" else len(facts.classes)
        focus: float = (1 - 1 / answers) ** self.gamma
        return math.log(answers) * focus * sum(self._alphas()) / 2
