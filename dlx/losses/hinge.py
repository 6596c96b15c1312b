from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class Hinge(Loss):
    """By how much the right class fails to lead the best wrong one by a margin.

    max(0, margin + maxⱼ≠ₖ zⱼ − zₖ), which for two classes is max(0, margin − y f) with f = z₁ − z₀ and y = ±1; for
    labels, max(0, margin − y z) each. The loss of support vector machines: what is right by the margin no longer
    counts. Scores are no calibrated probabilities.

    Shapes:  output (B, K), target (B,) indices, or (B, K) labels.
    Raises:  RunError if the target is probabilities.
    Source:  Crammer & Singer 2001, JMLR 2.

    Example:
        {type: hinge, squared: true}
    """

    primary: ClassVar[str] = "margin"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    soft: ClassVar[bool] = False
    type: Literal["hinge"] = "hinge"
    margin: float = Field(1.0, gt=0)
    """Lead from which an answer counts as right."""
    squared: bool = False
    """Whether the shortfall is squared, which is smooth and punishes large ones more."""

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses._margin_torch import MarginLoss

        return MarginLoss(self.type, self.margin, power=2 if self.squared else 1, labels=facts.kind == "labels")
