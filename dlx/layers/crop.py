from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, format_sizes, per_axis

if TYPE_CHECKING:
    from torch import nn


class Crop(Layer):
    """Cropping: removes a border of an image.

    Brings an early, larger map to the size of a later one that convolutions without padding have made smaller, so
    that both can be joined.

    Shapes:  (C, H, W) → (C, H − 2·cropping, W − 2·cropping); 1 and 3 spatial dimensions alike.
    Raises:  ShapeError if nothing is left of the image.
    Source:  Ronneberger et al. 2015, arXiv:1505.04597.

    Example:
        {crop: 2}
    """

    primary: ClassVar[str] = "cropping"
    type: Literal["crop"] = "crop"
    cropping: Sizes
    """Width of the border; a list gives each dimension its own."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        sizes = self._sizes(x)
        space = tuple(None if n is None else n - 2 * p for p, n in zip(sizes, x.spatial, strict=True))
        if any(n is not None and n <= 0 for n in space):
            raise ShapeError(f"crop {format_sizes(sizes)} leaves nothing of a {format_sizes(x.spatial)} input")
        return x.with_dims((x.dims[0], *space))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        make = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)[len(x.spatial) - 1]  # a negative border is taken off
        return make(tuple(-p for size in reversed(self._sizes(x)) for p in (size, size)))  # type: ignore[arg-type]

    def _sizes(self, x: TensorSpec) -> tuple[int, ...]:
        return per_axis(self.cropping, len(require_axes(x, IMAGES, self.type).spatial), "cropping")
