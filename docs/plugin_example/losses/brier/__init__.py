from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import InverseLink, Loss

if TYPE_CHECKING:
    from torch import nn


class Brier(Loss):
    """The squared distance between the predicted probabilities and the true class.

    Σ_k (p_k − y_k)² with p the softmax of the output. Bounded by 2, so that a wrong label pulls less than it does with
    cross-entropy.

    Shapes:  output (B, K), target (B,) class indices or (B, K) probabilities.
    Source:  Brier 1950, Monthly Weather Review 78.

    Example:
        brier
    """

    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax"}
    type: Literal["brier"] = "brier"

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.brier.module import BrierScore

        return BrierScore(len(facts.classes))

    def chance_level(self, facts: DataFacts) -> float | None:
        return 1 - 1 / len(facts.classes)
