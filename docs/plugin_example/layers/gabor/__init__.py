from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, require_axes
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Gabor(Layer):
    """Looks for stripes in each of some directions, with fixed Gabor filters.

    w(u, v) = exp(−(u² + v²) / 2σ²) cos(2π (u cos θ + v sin θ) / λ), with mean 0. Nothing is learned; as a first layer
    for small sets of textures.

    Shapes:  (C, H, W) → (orientations, H, W); the channels are averaged first.
    Units:   wavelength is in pixels; σ is half of it.
    Raises:  ShapeError if the input is no image.
    Source:  Daugman 1985, J. Opt. Soc. Am. A 2(7).

    Example:
        {gabor: {orientations: 8, kernel: 9}}
    """

    type: Literal["gabor"] = "gabor"
    orientations: int = Field(8, ge=1)
    """How many directions, evenly spaced over half a turn."""
    kernel: int = Field(9, ge=3)
    """Side of the filters, an odd number of pixels."""
    wavelength: float = Field(4.0, gt=0)
    """Pixels from one stripe to the next."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        if self.kernel % 2 == 0:
            raise ShapeError(f"gabor has a center, so its kernel is odd, not {self.kernel}")
        image = require_axes(x, "CHW", self.type)
        return image.with_dims((self.orientations, *image.dims[1:]))

    def cost(self, x: TensorSpec) -> Cost:
        filters = self.orientations * self.kernel**2
        positions = self.shape(x).elements // self.orientations
        return Cost(buffers=filters, macs=filters * positions)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.gabor.module import GaborFilters

        return GaborFilters(self.orientations, self.kernel, self.wavelength)
