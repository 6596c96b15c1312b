from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv_norm, dropout
from dlx.models._published.mobilenet import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

# channels and stride of each separable convolution: table 1 of the first paper
FIRST = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
# expansion, channels, how many and stride of the first of them: table 2 of the second paper
SECOND = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
LAST = 1280  # channels of the second network's last convolution
MULTIPLE = 8  # what scaled channels are rounded to
ACTIVATION = "relu6"


class MobileNet(Model):
    """MobileNet: an efficient convolutional network of depthwise separable convolutions.

    Version 1 is a stack of them, 4,231,976 parameters with 1,000 classes. Version 2 puts each between a 1 × 1
    convolution that makes six times as many channels and one that takes them back, without an activation, and adds a
    shortcut between the narrow ends: 3,504,872 parameters and half the work.

    Shapes:  (C, H, W) → (1024,) or (1280,), with version 1 times width.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not an image.
    Source:  Howard et al. 2017, arXiv:1704.04861; Sandler et al. 2018, arXiv:1801.04381; deviations: weights start as
             in He et al. 2015.

    Example:
        {type: mobilenet, version: 2, width_mult: 0.25}
    """

    primary: ClassVar[str] = "version"
    type: Literal["mobilenet"] = "mobilenet"
    version: Literal[1, 2] = 2
    """MobileNetV1 or MobileNetV2."""
    width_mult: float = Field(1.0, gt=0)
    """Factor of all channels, which are rounded to multiples of 8."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Probability that a feature is set to zero in training; 0 leaves the layer out."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES if self.version == 2 else {}

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        stem = {"stem": conv_norm(self._scale_channels(32), 3, stride=2, then=ACTIVATION)}
        body = self._version1() if self.version == 1 else self._version2()
        return [stem, *body, "global_pool", *dropout(self.dropout)]

    def _version1(self) -> list[Any]:
        layers: list[Any] = []
        inputs = self._scale_channels(32)
        for i, (channels, stride) in enumerate(FIRST):
            outputs = self._scale_channels(channels)
            depthwise = conv_norm(inputs, 3, stride, groups=inputs, then=ACTIVATION)
            layers.append({f"block{i + 1}": [*depthwise, *conv_norm(outputs, 1, then=ACTIVATION)]})
            inputs = outputs
        return layers

    def _version2(self) -> list[Any]:
        layers: list[Any] = []
        inputs = self._scale_channels(32)
        for i, (expansion, channels, times, stride) in enumerate(SECOND):
            outputs = self._scale_channels(channels)
            stage: list[Any] = []
            for step in [stride] + [1] * (times - 1):
                stage += _bottleneck(inputs, expansion * inputs, outputs, step)
                inputs = outputs
            layers.append({f"stage{i + 1}": stage})
        last = max(LAST, self._scale_channels(LAST))
        return [*layers, {"last": conv_norm(last, 1, then=ACTIVATION)}]

    def _scale_channels(self, channels: int) -> int:
        """Return a multiple of 8 near channels × width, at least 8 and never a tenth too small."""
        wanted = channels * self.width_mult
        near = max(MULTIPLE, int(wanted + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
        return near + MULTIPLE if near < 0.9 * wanted else near


def _bottleneck(inputs: int, inside: int, outputs: int, stride: int) -> list[Any]:
    """Return an inverted bottleneck: widen, filter each channel, and narrow without an activation."""
    layers: list[Any] = conv_norm(inside, 1, then=ACTIVATION) if inside != inputs else []
    layers += conv_norm(inside, 3, stride, groups=inside, then=ACTIVATION)
    layers += conv_norm(outputs, 1)[:2]
    return [{"residual": layers}] if stride == 1 and inputs == outputs else layers
