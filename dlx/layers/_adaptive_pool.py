"""Base of adaptive pooling."""

from __future__ import annotations

from typing import ClassVar

from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, per_axis


class AdaptivePool(Layer):
    """Adaptive pooling: brings an image of any size to a given one."""

    primary: ClassVar[str] = "output_size"
    output_size: Sizes
    """Number of outputs; a list gives each dimension its own."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, IMAGES, self.type).with_dims((x.dims[0], *self._sizes(x)))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=require_axes(x, IMAGES, self.type).elements)

    def _sizes(self, x: TensorSpec) -> tuple[int, ...]:
        return per_axis(self.output_size, len(x.spatial), "output_size")
