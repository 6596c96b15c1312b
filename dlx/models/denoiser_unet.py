from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, dropout
from dlx.models._condition import KEY, with_condition
from dlx.tensors import Spec, TensorSpec

GROUPS = 8
"""Groups of channels that are normalized together, where they divide the channels."""


class DenoiserUNet(Model):
    """Denoiser U-Net: a U-Net conditioned on the diffusion time, for images.

    Residual blocks at every level (norm, silu, convolution, film, norm, silu, convolution); each level of the encoder
    halves the image, each of the decoder doubles it and joins the feature maps of the same level (skip connection).
    film is scaled and shifted by an embedding of the time, and of the class where there is one. At the coarsest level
    there is self-attention over all pixels.

    Shapes:  (C, H, W) → (channels[0], H, W).
    Units:   dropout is a probability.
    Raises:  ShapeError if no time is in scope, or the image cannot be halved at every level without a remainder.
    Source:  Ho et al. 2020, arXiv:2006.11239; deviations: `num_blocks` on each side of a level with one join a level,
             scale as well as shift (Dhariwal & Nichol 2021, arXiv:2105.05233), attention at the coarsest level alone, 8
             groups.

    Example:
        {type: denoiser_unet, channels: [8, 16], num_blocks: 1, num_heads: 2}
    """

    primary: ClassVar[str] = "channels"
    type: Literal["denoiser_unet"] = "denoiser_unet"
    channels: list[Annotated[int, Field(gt=0)]] = Field([32, 64, 128], min_length=1)
    """Channels of each level, from the finest to the coarsest."""
    num_blocks: int = Field(1, gt=0)
    """Residual blocks at each level, in the encoder and again in the decoder."""
    num_heads: int = Field(4, ge=0)
    """Number of heads of the attention at the coarsest level; 0 leaves it out."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a number inside a block is set to zero in training; 0 leaves the layer out."""

    def architecture(self, x: Spec) -> list[Any]:
        image = require_axes(x, "CHW", self.type)
        self._check(image)
        *finer, coarsest = self.channels
        above = [self.channels[0], *finer]
        layers = [*self._blocks(above[-1], coarsest), *self._attention(coarsest), *self._blocks(coarsest, coarsest)]
        for given, width in reversed(list(zip(above[:-1], finer, strict=True))):
            down: dict[str, Any] = {"conv": {"channels": width, "kernel": 3, "stride": 2, "padding": 1}}
            inner = [down, *layers, {"upsample": 2}, _conv(width)]
            around = {"branches": {"join": "concat", "of": ["identity", inner]}}
            layers = [*self._blocks(given, width), around, *self._blocks(2 * width, width)]
        first = self.channels[0]
        return with_condition(x, 2 * first, 4 * first, [_conv(first), *layers, _norm(first), "silu"])

    def _blocks(self, given: int, width: int) -> list[Any]:
        """Return residual blocks, of which the first is given another number of channels."""
        drop: list[Any] = dropout(self.dropout)
        blocks = []
        for channels in (given, *[width] * (self.num_blocks - 1)):
            first: list[Any] = [_norm(channels), "silu", _conv(width), {"film": KEY}]
            blocks.append({"residual": {"layers": [*first, _norm(width), "silu", *drop, _conv(width)]}})
        return blocks

    def _attention(self, width: int) -> list[Any]:
        if not self.num_heads:
            return []
        if width % self.num_heads:
            raise ShapeError(f"{self.num_heads} heads do not divide the {width} channels of the coarsest level")
        return [{"residual": {"layers": [_norm(width), {"pixel_sequence": [{"attention": self.num_heads}]}]}}]

    def _check(self, x: TensorSpec) -> None:
        factor = 2 ** (len(self.channels) - 1)
        if any(size is not None and size % factor for size in x.spatial):
            raise ShapeError(
                f"denoiser_unet with {len(self.channels)} levels does not fit a {x} input: {factor} must "
                "divide its height and width"
            )


def _conv(channels: int) -> dict[str, Any]:
    return conv(channels, 3, bias=True)


def _norm(channels: int) -> dict[str, Any]:
    return {"group_norm": math.gcd(GROUPS, channels)}
