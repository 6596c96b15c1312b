from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink

if TYPE_CHECKING:
    from torch import nn


class Hinge(Loss):
    """Hinge loss of support vector machines: positive if the true class does not exceed the others by a margin.

    max(0, margin + maxⱼ≠ₖ zⱼ − zₖ), which for two classes is max(0, margin − y f) with f = z₁ − z₀ and y = ±1; for
    labels, max(0, margin − y z) each. A sample that is right by the margin has no gradient. Predictions are scores
    that rank classes, not probabilities.

    Shapes:  scores (B, K), target (B,) class indices, or (B, K) labels.
    Raises:  RunError if the target is probabilities.
    Source:  Crammer & Singer 2001, JMLR 2.

    Example:
        {type: hinge, squared: true}
    """

    primary: ClassVar[str] = "margin"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax", "labels": "sigmoid"}
    probabilistic: ClassVar[bool] = False
    accepts_soft_targets: ClassVar[bool] = False
    type: Literal["hinge"] = "hinge"
    margin: float = Field(1.0, gt=0)
    """Lead of the right class from which the loss is zero."""
    squared: bool = False
    """Whether the shortfall is squared, which is smooth and penalizes large ones more."""

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses._margin_torch import MarginLoss

        return MarginLoss(self.type, self.margin, power=2 if self.squared else 1, labels=facts.kind == "labels")
