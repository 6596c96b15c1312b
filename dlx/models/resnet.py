from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, repeat
from dlx.models._published.resnet import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

PHOTOS: dict[int, tuple[int, ...]] = {  # blocks in each of four stages, table 1 of the paper
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
BOTTLENECK_FROM = 50  # depth from which photo networks have three convolutions a block
EXPANSION = 4  # channels that leave a bottleneck, over those inside


class ResNet(Model):
    """ResNet (residual network): blocks of convolutions, each with a residual (skip) connection.

    A block learns what to change in its input; gradients bypass it, so that a hundred layers train. Depths 18 to 152
    are the paper's networks for photos (two 3 × 3 convolutions a block, from 50 on a bottleneck of 1 × 1, 3 × 3 and
    1 × 1): 11,689,512 parameters with 18 layers, 25,557,032 with 50 and 1,000 classes. Depths of the form 6n + 2 are
    its narrow networks for CIFAR's small images: 20, 32, 44, 56 and 110, and 8 and 14 for experiments.

    Shapes:  (C, H, W) → maps of the last stage; the task's head takes their mean and adds a linear layer.
    Raises:  ShapeError if the input is not an image.
    Source:  He et al. 2016, arXiv:1512.03385; preactivation: He et al. 2016, arXiv:1603.05027; deviations: from 50
             layers on the 3 × 3 convolution has the stride, as in Goyal et al. 2017, arXiv:1706.02677.

    Example:
        {type: resnet, depth: 20}
    """

    primary: ClassVar[str] = "depth"
    type: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152, 8, 14, 20, 32, 44, 56, 110] = 18
    """How many layers have weights, the task's linear layer among them."""
    width: int | None = Field(None, gt=0)
    """Channels of the first stage, doubled from stage to stage; null for the paper's 64, or 16 for small images."""
    stem: Literal["auto", "imagenet", "cifar"] = "auto"
    """What comes first: imagenet halves twice (7 × 7 and max pooling), cifar is one 3 × 3; auto goes by the depth."""
    residual: bool = True
    """Whether blocks have shortcuts; false makes the plain network of the paper, with the same layers."""
    shortcut: Literal["auto", "A", "B"] = "auto"
    """Past a block that changes the shape: A skips pixels and adds channels of zeros, B is a 1 × 1 convolution with
    batch norm; auto is B for photos, A for small images."""
    preactivation: bool = False
    """Pre-activation (ResNet v2): whether batch norm and relu come before each convolution."""
    zero_init_residual: bool = False
    """Whether the last batch norm of each branch (with preactivation: its last convolution) is initialized to zero, so
    that every block is the identity at first."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    @model_validator(mode="after")
    def _check_zero_init(self) -> Self:
        if self.zero_init_residual and not self.residual:
            raise ValueError(
                "zero_init_residual needs residual: true, as a plain network would output zeros and learn nothing"
            )
        return self

    def name_maps(self) -> Mapping[str, NameMap]:
        is_published = not (self._is_small or self.preactivation) and self.residual
        return NAMES if is_published else {}

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        blocks = PHOTOS.get(self.depth, ((self.depth - 2) // 6,) * 3)
        layers: list[Any] = [{"stem": self._stem()}]
        channels = self._width
        for i, times in enumerate(blocks):
            shrinks = i > 0
            first = self._block(channels, 2 if shrinks else 1, changes=shrinks or self._is_bottleneck, opens=True)
            rest = self._block(channels, 1, changes=False, opens=False)
            layers.append({f"stage{i + 1}": [*self._stage_activation(shrinks), *first, *repeat(rest, times - 1)]})
            channels *= 2
        return [*layers, *self._stage_activation(True)]

    @property
    def _is_small(self) -> bool:
        return self.depth not in PHOTOS

    @property
    def _is_bottleneck(self) -> bool:
        return not self._is_small and self.depth >= BOTTLENECK_FROM

    @property
    def _width(self) -> int:
        return self.width or (16 if self._is_small else 64)

    def _stage_activation(self, needed: bool) -> list[Any]:
        """Return batch norm and relu of a sum where the blocks do not have them."""
        return ["batch_norm", "relu"] if needed and self.preactivation else []

    def _stem(self) -> list[Any]:
        if self.stem == "cifar" or (self.stem == "auto" and self._is_small):
            return [conv(self._width, 3), "batch_norm", "relu"]
        pool = {"max_pool": {"kernel": 3, "stride": 2, "padding": 1}}
        return [conv(self._width, 7, stride=2), "batch_norm", "relu", pool]

    def _block(self, channels: int, stride: int, changes: bool, opens: bool) -> list[Any]:
        """Return one block; `changes`: whether it changes the shape; `opens`: whether it is the first of its stage."""
        convs = self._convs(channels, stride)
        branch: list[Any] = []
        for i, layer in enumerate(convs):
            last = i == len(convs) - 1
            zero = last and self.zero_init_residual
            if self.preactivation:
                layer = {"conv": {**layer["conv"], "init": "zeros"}} if zero else layer
                branch += [layer] if opens and i == 0 else ["batch_norm", "relu", layer]
            else:
                branch += [layer, {"batch_norm": {"weight_init_value": 0.0}} if zero else "batch_norm"] + (
                    [] if last else ["relu"]
                )
        then = [] if self.preactivation else ["relu"]
        if not self.residual:
            return [*branch, *then]
        fields: dict[str, Any] = {"layers": branch}
        fields |= {"shortcut": self._shortcut(channels, stride)} if changes else {}
        return [{"residual": fields | ({"then": then[0]} if then else {})}]

    def _convs(self, channels: int, stride: int) -> list[Any]:
        if self._is_bottleneck:
            return [conv(channels, 1), conv(channels, 3, stride), conv(EXPANSION * channels, 1)]
        return [conv(channels, 3, stride), conv(channels, 3)]

    def _shortcut(self, channels: int, stride: int) -> list[Any]:
        out = channels * (EXPANSION if self._is_bottleneck else 1)
        if self.shortcut == "A" or (self.shortcut == "auto" and self._is_small):
            skip = [{"avg_pool": {"kernel": 1, "stride": stride}}] if stride > 1 else []
            return [*skip, {"pad_channels": out}]
        return [conv(out, 1, stride), *([] if self.preactivation else ["batch_norm"])]
