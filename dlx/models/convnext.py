from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, repeat
from dlx.models._published.convnext import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

SIZES: dict[str, tuple[tuple[int, ...], int]] = {  # blocks in each stage, and channels of the first
    "tiny": ((3, 3, 9, 3), 96),
    "small": ((3, 3, 27, 3), 96),
    "base": ((3, 3, 27, 3), 128),
    "large": ((3, 3, 27, 3), 192),
}
EXPANSION = 4  # channels inside a block, over those at its ends
NORM = {"layer_norm": {"eps": 1.0e-6}}


class ConvNeXt(Model):
    """ConvNeXt: a convolutional network in the style of a transformer: large depthwise filters, layer norm and gelu.

    Each block mixes positions with a 7 × 7 filter a channel and then channels with two 1 × 1 convolutions. The tiny one
    has 28,589,128 parameters with 1,000 classes and costs what ResNet-50 does. The recipe's `stochastic_depth` drops
    blocks in training, as the paper does.

    Shapes:  (C, H, W) → (8 × width,); images from 32 × 32 on fit.
    Raises:  ShapeError if the input is not an image, or is too small.
    Source:  Liu et al. 2022, arXiv:2201.03545; deviations: weights are normal, not cut off at two deviations.

    Example:
        {type: convnext, size: tiny, width: 8}
    """

    primary: ClassVar[str] = "size"
    type: Literal["convnext"] = "convnext"
    size: Literal["tiny", "small", "base", "large"] = "tiny"
    """Which of the paper's networks."""
    width: int | None = Field(None, gt=0)
    """Channels of the first stage, doubled from stage to stage; null for those of the size."""
    layer_scale: float = Field(1e-6, ge=0)
    """Initial value of LayerScale, the learned factors of each block; 0 leaves them out."""
    init: Initializer | None = Field(default={"normal": 0.02}, validate_default=True)  # type: ignore[assignment]
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        blocks, channels = SIZES[self.size]
        channels = self.width or channels
        layers: list[Any] = [{"stem": [{"conv": {"channels": channels, "kernel": 4, "stride": 4}}, NORM]}]
        for i, times in enumerate(blocks):
            if i > 0:
                channels *= 2
                layers.append({f"down{i}": [NORM, {"conv": {"channels": channels, "kernel": 2, "stride": 2}}]})
            layers.append({f"stage{i + 1}": repeat([self._block(channels)], times)})
        return [*layers, "global_pool", NORM]

    def _block(self, channels: int) -> dict[str, Any]:
        branch: list[Any] = [conv(channels, 7, groups=channels, bias=True), NORM]
        branch += [conv(EXPANSION * channels, 1, bias=True), "gelu", conv(channels, 1, bias=True)]
        branch += [{"scale": {"factor": self.layer_scale, "learn": "feature"}}] if self.layer_scale else []
        return {"residual": branch}
