from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink

if TYPE_CHECKING:
    from torch import nn


class Perceptron(Loss):
    """Perceptron loss: the margin of the best wrong class over the true one; zero where the prediction is correct.

    max(0, maxⱼ≠ₖ zⱼ − zₖ), which for two classes is max(0, −y f) with f = z₁ − z₀ and y = ±1; for labels, max(0, −y z)
    each. Gradient descent on one sample with lr 1 is Rosenblatt's rule: add the input to the right class, subtract it
    from the wrong one, change nothing else. It converges on separable data and never settles on others. A tie is an
    error. Predictions are scores that rank classes, not probabilities.

    Shapes:  scores (B, K), target (B,) class indices, or (B, K) labels.
    Raises:  RunError if the target is probabilities.
    Source:  Rosenblatt 1958, Psychological Review 65.

    Example:
        perceptron
    """

    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax", "labels": "sigmoid"}
    probabilistic: ClassVar[bool] = False
    accepts_soft_targets: ClassVar[bool] = False
    type: Literal["perceptron"] = "perceptron"

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses._margin_torch import MarginLoss

        return MarginLoss(self.type, margin=0.0, power=1, labels=facts.kind == "labels")
