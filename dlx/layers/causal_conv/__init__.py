from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class CausalConv(Layer):
    """Causal convolution: slides learned filters over a sequence; each step sees itself and earlier steps only.

    y_t = b + Σ_k W_k x_{t − k·dilation}, with zeros before the start, so that there are as many outputs as inputs. With
    dilations 1, 2, 4, … the receptive field doubles with each layer at the same cost: the layer of `tcn` and WaveNet.
    Padded steps (context `mask`) count as zeros; a `cache` keeps the last inputs for stepwise use.

    Shapes:  (T, F) → (T, features).
    Raises:  ShapeError if the input is not a sequence of features, or their number is unknown.
    Source:  van den Oord et al. 2016, arXiv:1609.03499; weight norm: Salimans & Kingma 2016, arXiv:1602.07868.

    Example:
        {causal_conv: {features: 8, kernel: 3, dilation: 2, weight_norm: true}}
    """

    type: Literal["causal_conv"] = "causal_conv"
    features: int = Field(gt=0)
    """Number of filters."""
    kernel: int = Field(gt=0)
    """Number of steps that a filter sees."""
    dilation: int = Field(1, gt=0)
    """Distance between two of them."""
    bias: bool = True
    """Whether a bias is added."""
    weight_norm: bool = False
    """Weight normalization: whether the norm of each filter is learned apart from its direction."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        return x.with_dims((x.dims[0], self.features))

    def cost(self, x: TensorSpec) -> Cost:
        inputs = num_features(x, self.type, ("TF",))
        weights = self.features * inputs * self.kernel
        trained = weights + self.features * (self.bias + self.weight_norm)
        return Cost(trained, macs=weights * (x.elements // inputs), activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.causal_conv.module import CausalConv1d

        inputs = num_features(x, self.type, ("TF",))
        return CausalConv1d(inputs, self.features, self.kernel, self.dilation, self.bias, self.weight_norm)
