from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Heaviside(Activation):
    """Heaviside step function: 1 for x ≥ 0, else 0.

    The unit of McCulloch & Pitts. Its true gradient is zero everywhere, so that nothing before it can learn; the
    straight-through estimator replaces it by that of the identity between −1 and 1.

    Source:  McCulloch & Pitts 1943; Bengio et al. 2013, arXiv:1308.3432.

    Example:
        {type: heaviside, gradient: straight_through}
    """

    type: Literal["heaviside"] = "heaviside"
    gradient: Literal["straight_through", "zero"] = "straight_through"
    """Gradient of the backward pass: the identity's where |x| ≤ 1, or the true one, zero."""

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers._threshold_torch import Threshold

        return Threshold(below=0.0, straight_through=self.gradient == "straight_through")
