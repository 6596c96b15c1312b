from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, dropout
from dlx.models._published.vgg import vgg_names
from dlx.name_maps import NameMap
from dlx.tensors import Spec

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS: dict[int, tuple[int, ...]] = {  # in each of the five stages: columns A, B, D and E of the paper
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(Model):
    """VGG: a deep stack of 3 × 3 convolutions, halved five times, then two wide fully connected layers.

    Two 3 × 3 filters in a row see as much as one of 5 × 5, with fewer weights and one more nonlinearity. With 16
    layers and 1,000 classes 138,357,544 parameters, nine in ten of them in the dense layers. Without batch norm
    the deep ones are hard to train from scratch.

    Shapes:  (C, H, W) → (hidden,); images from 32 × 32 on fit.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not an image, or is too small.
    Source:  Simonyan & Zisserman 2015, arXiv:1409.1556; batch norm: Ioffe & Szegedy 2015, arXiv:1502.03167; deviations:
             weights start as in He et al. 2015; maps are pooled to a size that is given, whatever the image's.

    Example:
        {type: vgg, depth: 11, batch_norm: true, pool_size: 1, hidden: 128}
    """

    primary: ClassVar[str] = "depth"
    type: Literal["vgg"] = "vgg"
    depth: Literal[11, 13, 16, 19] = 16
    """How many layers have weights, the task's linear layer among them."""
    batch_norm: bool = False
    """Whether batch norm follows every convolution."""
    pool_size: int = Field(7, gt=0)
    """Side to which the last maps are pooled; 1 suits images of 32 × 32."""
    hidden: int = Field(4096, gt=0)
    """Width of the two fully connected layers."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Probability that an output of a dense layer is set to zero in training; 0 leaves the layer out."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return vgg_names(CONVOLUTIONS[self.depth], 3 if self.batch_norm else 2)

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        layers: list[Any] = []
        for i, (width, times) in enumerate(zip(WIDTHS, CONVOLUTIONS[self.depth], strict=True)):
            norm: list[Any] = ["batch_norm"] if self.batch_norm else []
            layers.append({f"stage{i + 1}": [*[conv(width, 3, bias=True), *norm, "relu"] * times, {"max_pool": 2}]})
        drop: list[Any] = dropout(self.dropout)
        dense: list[Any] = [{"linear": self.hidden}, "relu", *drop]
        return [*layers, {"adaptive_avg_pool": self.pool_size}, "flatten", {"dense": dense * 2}]
