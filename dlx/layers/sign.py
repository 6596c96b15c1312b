from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Sign(Activation):
    """Sign function: 1 for x ≥ 0, else −1.

    The output of a perceptron, and binary activations. Its true gradient is zero, so that nothing before it can
    learn; the straight-through estimator replaces it by that of the identity between −1 and 1.

    Source:  Rosenblatt 1958; Bengio et al. 2013, arXiv:1308.3432.

    Example:
        {type: sign, gradient: straight_through}
    """

    type: Literal["sign"] = "sign"
    gradient: Literal["straight_through", "zero"] = "straight_through"
    """Gradient of the backward pass: the identity's where |x| ≤ 1, or the true one, zero."""

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers._threshold_torch import Threshold

        return Threshold(below=-1.0, straight_through=self.gradient == "straight_through")
