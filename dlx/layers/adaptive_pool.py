from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer, one
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, per_axis

if TYPE_CHECKING:
    from torch import nn


class AdaptivePool(Layer):
    """Pools an image of any size to a size that is given.

    Output i of n summarizes the inputs from ⌊i·size/n⌋ to ⌈(i+1)·size/n⌉.

    Shapes:  (C, H, W) → (C, size, size); 1 and 3 spatial dimensions alike.
    Source:  torch.nn.AdaptiveAvgPool2d.

    Example:
        {adaptive_pool: 4}
    """

    primary: ClassVar[str] = "size"
    type: Literal["adaptive_pool"] = "adaptive_pool"
    size: Sizes
    """How many outputs; a list gives each dimension its own."""
    mode: Literal["avg", "max"] = "avg"
    """Mean or maximum."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return one(x, IMAGES, self.type).with_dims((x.dims[0], *per_axis(self.size, len(x.space), "size")))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=one(x, IMAGES, self.type).elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        size = per_axis(self.size, len(x.space), "size")
        averages = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
        maxima = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
        make = (averages if self.mode == "avg" else maxima)[len(size) - 1]
        return make(size)  # type: ignore[arg-type]
