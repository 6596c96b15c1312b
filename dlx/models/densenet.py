from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, repeat
from dlx.models._published.densenet import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

LAYERS: dict[int, tuple[int, ...]] = {  # in each of four dense blocks, table 1 of the paper
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
BOTTLENECK = 4  # channels before a layer's 3 × 3 convolution, over its growth
WIDE = 161  # the network whose layers grow by 48 in place of 32


class DenseNet(Model):
    """DenseNet: every layer of a block reads the feature maps of all layers before it and adds a few of its own.

    Nothing has to be learned twice, so that thin layers suffice: with 121 layers and 1,000 classes 7,978,856
    parameters. Maps of all layers are kept for the backward pass, so that it costs memory.

    Shapes:  (C, H, W) → maps of the last block; the task's head takes their mean and adds a linear layer.
    Raises:  ShapeError if the input is not an image.
    Source:  Huang et al. 2017, arXiv:1608.06993.

    Example:
        {type: densenet, growth_rate: 4}
    """

    primary: ClassVar[str] = "depth"
    type: Literal["densenet"] = "densenet"
    depth: Literal[121, 161, 169, 201] = 121
    """How many layers have weights, the task's linear layer among them."""
    growth_rate: int | None = Field(None, gt=0)
    """Feature maps that each layer adds; null for the paper's 32, or 48 with 161 layers."""
    stem: Literal["imagenet", "cifar"] = "imagenet"
    """What comes first: imagenet halves twice (7 × 7 and max pooling), cifar is one 3 × 3, for images of 32 × 32."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        growth = self.growth_rate or (48 if self.depth == WIDE else 32)
        channels = 2 * growth
        pool = {"max_pool": {"kernel": 3, "stride": 2, "padding": 1}}
        halved = [conv(channels, 7, stride=2), "batch_norm", "relu", pool]
        layers: list[Any] = [{"stem": halved if self.stem == "imagenet" else [conv(channels, 3)]}]
        dense = ["batch_norm", "relu", conv(BOTTLENECK * growth, 1), "batch_norm", "relu", conv(growth, 3)]
        for i, times in enumerate(LAYERS[self.depth]):
            if i > 0:
                channels //= 2
                halve = ["batch_norm", "relu", conv(channels, 1), {"avg_pool": 2}]
                layers.append({f"transition{i}": halve})
            layer = {"branches": {"join": "concat", "of": ["identity", dense]}}
            layers.append({f"block{i + 1}": repeat([layer], times)})
            channels += times * growth
        return [*layers, "batch_norm", "relu"]
