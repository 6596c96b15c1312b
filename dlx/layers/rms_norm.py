from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RMSNorm(Layer):
    """RMS normalization: divides the features of every position by their root mean square, then scales them.

    y = γ x / √(mean x² + ε). A layer norm without means and shifts: cheaper, and as good in large language models.

    Shapes:  kept. Over F or C at each position.
    Source:  Zhang & Sennrich 2019, arXiv:1910.07467; torch.nn.RMSNorm.

    Example:
        rms_norm
    """

    type: Literal["rms_norm"] = "rms_norm"
    eps: float = Field(1e-6, gt=0)
    """Added to the mean square."""
    elementwise_affine: bool = True
    """Whether the scale is learned."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type)
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=num_features(x, self.type) * self.elementwise_affine, activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        from dlx.layers._channels_torch import ChannelRMSNorm

        make = ChannelRMSNorm if x.axes in IMAGES else nn.RMSNorm
        return make(num_features(x, self.type), self.eps, self.elementwise_affine)
