from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, propagate, require_axes
from dlx.tensors import Spec, TensorSpec, context_of

if TYPE_CHECKING:
    from torch import nn


class PixelSequence(Layer):
    """Pixels as a sequence: applies sequence layers, such as attention, to the pixels of an image, row by row.

    With `attention` inside, every pixel attends to every other. Its cost grows with the square of the number of pixels:
    use it on coarse feature maps.

    Shapes:  (C, H, W) → (G, H, W), where the layers map (H·W, C) to (H·W, G).
    Raises:  ShapeError if the layers do not fit, or do not keep the number of steps.

    Example:
        {pixel_sequence: [layer_norm, {attention: {num_heads: 2}}]}
    """

    primary: ClassVar[str] = "layers"
    type: Literal["pixel_sequence"] = "pixel_sequence"
    layers: list[Layer] = Field(min_length=1)
    """What is applied to the sequence of pixels, in order."""

    def children(self, x: TensorSpec) -> list[Child]:
        inner, _ = propagate(self.layers, self._steps(x), "layers")
        return [Child(f"layers.{c.name}", c.loc, c.layer, c.x) for c in inner]

    def shape(self, x: TensorSpec) -> Spec:
        steps = self._steps(x)
        _, y = propagate(self.layers, steps, "layers")
        if not isinstance(y, TensorSpec) or y.axes != "TF" or y.dims[0] != steps.dims[0]:
            raise ShapeError(f"pixel_sequence needs layers that keep its {steps.dims[0]} steps, but they give {y}")
        return x.with_dims((y.dims[1], *x.spatial))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.pixel_sequence.module import SequenceOverPixels

        children, _ = propagate(self.layers, self._steps(x), "layers")
        return SequenceOverPixels(build_children(children))

    def _steps(self, x: TensorSpec) -> TensorSpec:
        image = require_axes(x, "CHW", self.type)
        channels, *space = image.dims
        if None in space:
            raise ShapeError(f"pixel_sequence needs to know how many pixels there are, but gets {x}")
        pixels = prod(d or 1 for d in space)
        scope = {name: value for name, value in context_of(x).items() if name != "mask"}
        return image.with_dims((pixels, channels), "TF").replace(context=scope)
