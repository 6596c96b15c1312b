from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features, require_unpadded
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class InstanceNorm(Layer):
    """Instance normalization: gives every channel of every sample mean 0 and variance 1 over its positions.

    Removes contrast and brightness from an image, which is why style transfer uses it.

    Shapes:  kept; (T, F), (C, L), (C, H, W), (C, D, H, W).
    Raises:  ShapeError if there is one position only, which would become 0.
    Source:  Ulyanov et al. 2016, arXiv:1607.08022; torch.nn.InstanceNorm2d.

    Example:
        instance_norm
    """

    type: Literal["instance_norm"] = "instance_norm"
    eps: float = Field(1e-5, gt=0)
    """Added to the variance."""
    affine: bool = False
    """Whether a scale and a shift are learned."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        if self._channels(x) == x.elements and None not in x.dims:
            raise ShapeError(f"instance_norm needs several positions, but {x} has one")
        require_unpadded(x, self.type, "layer_norm")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=2 * self._channels(x) * self.affine, activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        from dlx.layers._channels_torch import TimeInstanceNorm

        by_axes = {"TF": TimeInstanceNorm, "CL": nn.InstanceNorm1d, "CHW": nn.InstanceNorm2d, "CDHW": nn.InstanceNorm3d}
        return by_axes[x.axes](self._channels(x), self.eps, affine=self.affine)

    def _channels(self, x: TensorSpec) -> int:
        return num_features(x, self.type, ("TF", *IMAGES))
