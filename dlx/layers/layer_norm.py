from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class LayerNorm(Layer):
    """Layer normalization: gives the features of every position mean 0 and variance 1, then scales and shifts them.

    y = γ (x − μ) / √(σ² + ε) + β with μ and σ of one sample alone, learned γ and β: independent of the batch, the
    same in training and evaluation. The norm of transformers.

    Shapes:  kept. Over F or C at each position, or with `normalized_shape: all` over everything but the batch.
    Raises:  ShapeError if normalized_shape is all and a dimension is unknown.
    Source:  Ba et al. 2016, arXiv:1607.06450; torch.nn.LayerNorm.

    Example:
        layer_norm
    """

    type: Literal["layer_norm"] = "layer_norm"
    normalized_shape: Literal["features", "all"] = "features"
    """What is normalized together: the features of one position, or of all positions."""
    eps: float = Field(1e-5, gt=0)
    """Added to the variance."""
    elementwise_affine: bool = True
    """Whether scale and shift are learned."""
    bias: bool = True
    """Whether the shift is learned too."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._normalized_dims(x)
        return x

    def cost(self, x: TensorSpec) -> Cost:
        size = 1
        for d in self._normalized_dims(x):
            size *= d
        return Cost(parameters=size * self.elementwise_affine * (1 + self.bias), activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        from dlx.layers._channels_torch import ChannelLayerNorm

        make = ChannelLayerNorm if self.normalized_shape == "features" and x.axes in IMAGES else nn.LayerNorm
        return make(self._normalized_dims(x), self.eps, self.elementwise_affine, self.bias)

    def _normalized_dims(self, x: TensorSpec) -> tuple[int, ...]:
        features = num_features(x, self.type)
        if self.normalized_shape == "features":
            return (features,)
        known = tuple(d for d in x.dims if d is not None)
        if len(known) < len(x.dims):
            raise ShapeError(f"layer_norm with normalized_shape: all needs to know every dimension, but gets {x}")
        return known
