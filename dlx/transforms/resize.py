from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._floats import to_float
from dlx.transforms._images import Size, check_image, height_width
from dlx.transforms._stats import as_float

if TYPE_CHECKING:
    from torch import Tensor


class Resize(Transform):
    """Resizes images to one size.

    bilinear and bicubic smooth before they shrink (antialias), as photo software does; area averages the pixels that
    each new one covers; nearest takes the nearest pixel, for masks and pixel art. Bytes become floats in the same
    units. The statistics are taken to be those of the images before.

    Shapes:  (C, H, W) → (C, height, width).
    Raises:  ShapeError if the input is not an image.
    Source:  torch.nn.functional.interpolate.

    Example:
        {type: resize, size: [32, 48], mode: bilinear}
    """

    primary: ClassVar[str] = "size"
    type: Literal["resize"] = "resize"
    size: Size
    """New height and width: one number for both, or [height, width]."""
    mode: Literal["bilinear", "bicubic", "area", "nearest"] = "bilinear"
    """How pixels in between are found."""
    antialias: bool = True
    """Whether bilinear and bicubic average over the pixels that are lost when shrinking."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        x = check_image(x, "resize")
        return as_float(x).replace(dims=(x.dims[0], *height_width(self.size)))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._resize

    def _resize(self, batch: Tensor) -> Tensor:
        from torch.nn.functional import interpolate

        mode = "nearest-exact" if self.mode == "nearest" else self.mode
        smooth = self.antialias and mode.startswith("bi")
        return interpolate(to_float(batch), size=height_width(self.size), mode=mode, antialias=smooth)
