from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer
from dlx.layers._axes import IMAGES, feature_axis, num_features, require_unpadded
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class GlobalPool(Layer):
    """Global pooling: one number for each channel, its mean or its maximum.

    Turns an image of any size, or a sequence of any length, into features without parameters. The mean is usual at the
    end of a convolutional network; the maximum says whether a pattern is anywhere.

    Shapes:  (C, H, W) → (C,); (T, F) → (F,).
    Source:  Lin et al. 2014, arXiv:1312.4400.

    Example:
        {global_pool: avg}
    """

    primary: ClassVar[str] = "mode"
    type: Literal["global_pool"] = "global_pool"
    mode: Literal["avg", "max"] = "avg"
    """Mean or maximum."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        size = num_features(x, self.type, ("TF", *IMAGES))
        require_unpadded(x, self.type, "time_pool")
        return x.with_dims((size,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.global_pool.module import GlobalAverage, GlobalMaximum

        kept = feature_axis(x) + 1
        over = tuple(d for d in range(1, len(x.dims) + 1) if d != kept)
        return GlobalAverage(over) if self.mode == "avg" else GlobalMaximum(over)
