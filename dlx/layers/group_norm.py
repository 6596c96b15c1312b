from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features, require_unpadded
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class GroupNorm(Layer):
    """Group normalization: gives every group of channels of a sample mean 0 and variance 1, then scales and shifts it.

    Works as batch norm does, but on each sample by itself: for small batches, as in segmentation and detection. Scale
    and shift are learned for each channel.

    Shapes:  kept; (F,), (C, L), (C, H, W), (C, D, H, W).
    Raises:  ShapeError if num_groups does not divide the channels.
    Source:  Wu & He 2018, arXiv:1803.08494; torch.nn.GroupNorm.

    Example:
        {group_norm: 2}
    """

    primary: ClassVar[str] = "num_groups"
    supports_channels_last: ClassVar[bool] = False
    type: Literal["group_norm"] = "group_norm"
    num_groups: int = Field(32, gt=0)
    """Number of groups; 1 normalizes over all channels."""
    eps: float = Field(1e-5, gt=0)
    """Added to the variance."""
    affine: bool = True
    """Whether scale and shift are learned."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._channels(x)
        require_unpadded(x, self.type, "layer_norm")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=2 * self._channels(x) * self.affine, activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.GroupNorm(self.num_groups, self._channels(x), self.eps, self.affine)

    def _channels(self, x: TensorSpec) -> int:
        channels = num_features(x, self.type, ("F", *IMAGES))
        if channels % self.num_groups:
            raise ShapeError(f"{self.num_groups} groups do not divide {channels} channels")
        return channels
