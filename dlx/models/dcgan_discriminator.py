from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.tensors import Spec


class DCGANDiscriminator(Model):
    """DCGAN discriminator: convolutions of stride 2 halve an image until it can be classified, without pooling.

    For each number of channels: 4 × 4 convolution of stride 2 → norm → leaky relu of slope 0.2; no norm after the
    first. The task adds the linear layer that makes one number.

    Shapes:  (C, H, W) → (channels[-1] · H' · W',), sides halved for every convolution.
    Source:  Radford et al. 2016, arXiv:1511.06434; norm spectral: Miyato et al. 2018, arXiv:1802.05957, for the first
             convolution too; deviations: none but the sizes.

    Example:
        {type: dcgan_discriminator, channels: [8, 16], norm: spectral}
    """

    primary: ClassVar[str] = "channels"
    type: Literal["dcgan_discriminator"] = "dcgan_discriminator"
    channels: list[Annotated[int, Field(gt=0)]] = Field([128, 256, 512, 1024], min_length=1)
    """Channels after each convolution."""
    norm: Literal["batch_norm", "spectral", "none"] = "batch_norm"
    """Normalization: batch_norm (not for a gradient penalty), spectral normalization of the weights, or none."""
    init: Initializer | None = Field(default={"normal": {"std": 0.02}}, validate_default=True)  # type: ignore[assignment]
    """Initializer of every layer that has no `init` of its own."""

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        layers: list[Any] = []
        for number, width in enumerate(self.channels):
            normed = self.norm == "batch_norm" and number > 0
            conv = {"conv": {"channels": width, "kernel": 4, "stride": 2, "padding": 1, "bias": not normed}}
            layers.append({"spectral_norm": {"layer": conv}} if self.norm == "spectral" else conv)
            layers += ["batch_norm"] if normed else []
            layers.append({"leaky_relu": 0.2})
        return [*layers, "flatten"]
