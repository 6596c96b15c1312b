from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class Perceptron(Loss):
    """By how much the best wrong class is ahead of the right one; nothing where the answer is right.

    max(0, maxⱼ≠ₖ zⱼ − zₖ), which for two classes is max(0, −y f) with f = z₁ − z₀ and y = ±1; for labels, max(0, −y z)
    each. A step of gradient descent on one sample with lr 1 is Rosenblatt's rule: add what was missed, subtract what
    was mistaken, change nothing else. It ends on separable data and never settles on others. A tie is an error.

    Shapes:  output (B, K), target (B,) indices, or (B, K) labels.
    Raises:  RunError if the target is probabilities.
    Source:  Rosenblatt 1958, Psychological Review 65.

    Example:
        perceptron
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    soft: ClassVar[bool] = False
    type: Literal["perceptron"] = "perceptron"

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses._margin_torch import MarginLoss

        return MarginLoss(self.type, margin=0.0, power=1, labels=facts.kind == "labels")
