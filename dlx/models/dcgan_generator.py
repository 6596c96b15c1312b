from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes, require_numeric
from dlx.models import Model
from dlx.tensors import Spec


class DCGANGenerator(Model):
    """DCGAN generator: noise becomes a small image of many channels, which every layer doubles in size.

    linear → initial_size × initial_size with channels[0] channels, then for each further number of channels a 4 × 4
    transposed convolution of stride 2, batch norm and relu; a last one makes the image, in [−1, 1] by tanh: the data
    must be scaled to that range as well.

    Shapes:  (F,) → (out_channels, size, size) with size = initial_size · 2^(number of channels).
    Source:  Radford et al. 2016, arXiv:1511.06434; deviations: none but the sizes.

    Example:
        {type: dcgan_generator, initial_size: 4, channels: [32, 16], out_channels: 1}
    """

    primary: ClassVar[str] = "channels"
    type: Literal["dcgan_generator"] = "dcgan_generator"
    initial_size: int = Field(4, gt=0)
    """Side of the first image."""
    channels: list[Annotated[int, Field(gt=0)]] = Field([1024, 512, 256, 128], min_length=1)
    """Channels of each image but the last."""
    out_channels: int = Field(3, gt=0)
    """Channels of the last image."""
    init: Initializer | None = Field(default={"normal": {"std": 0.02}}, validate_default=True)  # type: ignore[assignment]
    """Initializer of every layer that has no `init` of its own."""

    @property
    def has_head(self) -> bool:
        return True

    def architecture(self, x: Spec) -> list[Any]:
        require_numeric(require_axes(x, "F", self.type), self.type)
        first, *others = self.channels
        layers: list[Any] = [
            {"linear": first * self.initial_size**2},
            {"reshape": [first, self.initial_size, self.initial_size]},
        ]
        layers += ["batch_norm", "relu"]
        for width in others:
            layers += [_upsample(width, bias=False), "batch_norm", "relu"]
        return [*layers, _upsample(self.out_channels, bias=True), "tanh"]


def _upsample(channels: int, bias: bool) -> dict[str, Any]:
    return {"conv_transpose": {"channels": channels, "kernel": 4, "stride": 2, "padding": 1, "bias": bias}}
