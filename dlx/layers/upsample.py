from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, per_axis

if TYPE_CHECKING:
    from torch import nn


class Upsample(Layer):
    """Upsampling: makes an image larger by a whole factor, without parameters.

    nearest repeats each pixel; linear interpolates. Followed by a convolution it is upsampling without checkerboard
    artifacts.

    Shapes:  (C, H, W) → (C, scale_factor·H, scale_factor·W); 1 and 3 spatial dimensions alike.
    Source:  torch.nn.Upsample, with pixels as areas (align_corners=False).

    Example:
        {upsample: 2}
    """

    primary: ClassVar[str] = "scale_factor"
    type: Literal["upsample"] = "upsample"
    scale_factor: Sizes
    """By how many times the image becomes larger; a list gives each dimension its own."""
    mode: Literal["nearest", "linear"] = "nearest"
    """Interpolation."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        factors = self._factors(x)
        space = (None if n is None else n * f for n, f in zip(x.spatial, factors, strict=True))
        return x.with_dims((x.dims[0], *space))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        factors = tuple(float(f) for f in self._factors(x))
        linear = ("linear", "bilinear", "trilinear")[len(factors) - 1]
        return nn.Upsample(scale_factor=factors, mode="nearest" if self.mode == "nearest" else linear)

    def _factors(self, x: TensorSpec) -> tuple[int, ...]:
        return per_axis(self.scale_factor, len(require_axes(x, IMAGES, self.type).spatial), "scale_factor")
