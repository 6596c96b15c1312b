from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class LocalResponseNorm(Layer):
    """Local response normalization: divides a channel by the strength of its neighboring channels at the same position.

    y_c = x_c / (k + α · mean x²)^β, the mean over `size` channels around c. Used by AlexNet; batch norm has
    replaced it.

    Shapes:  kept; (C, L), (C, H, W), (C, D, H, W).
    Source:  Krizhevsky et al. 2012; torch.nn.LocalResponseNorm. Deviation: the paper sums where this takes the
             mean, so that its α of 1e-4 is 5e-4 here.

    Example:
        {local_response_norm: {size: 5, k: 2.0}}
    """

    type: Literal["local_response_norm"] = "local_response_norm"
    size: int = Field(5, gt=0)
    """Number of neighboring channels, the channel itself included."""
    alpha: float = Field(1e-4, gt=0)
    """Weight of the neighbors."""
    beta: float = Field(0.75, gt=0)
    """Exponent."""
    k: float = Field(1.0, gt=0)
    """Added to the neighbors' strength, so that nothing is divided by zero."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, IMAGES, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=2 * require_axes(x, IMAGES, self.type).elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k)
