from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import feature_axis, num_features, with_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class PadChannels(Layer):
    """Channel padding: appends channels of zeros.

    The shortcut without parameters of the first residual networks, where a block makes more channels.

    Shapes:  (C, H, W) → (channels, H, W); (F,) → (channels,); any axes with features or channels.
    Raises:  ShapeError if there are more channels already.
    Source:  He et al. 2016, arXiv:1512.03385, option A.

    Example:
        {pad_channels: 32}
    """

    primary: ClassVar[str] = "channels"
    type: Literal["pad_channels"] = "pad_channels"
    channels: int = Field(gt=0)
    """Number of channels of the output."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._missing(x)
        return with_features(x, self.channels)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.pad_channels.module import ChannelPadding

        return ChannelPadding(self._missing(x), len(x.dims) - 1 - feature_axis(x))

    def _missing(self, x: TensorSpec) -> int:
        present = num_features(x, self.type)
        if present > self.channels:
            raise ShapeError(f"pad_channels cannot make {self.channels} channels of {present}")
        return self.channels - present
