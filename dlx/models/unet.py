from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, dropout
from dlx.tensors import Spec, TensorSpec


class UNet(Model):
    """U-Net: an encoder–decoder with skip connections at every level, for dense prediction such as segmentation.

    Each level of the encoder has two 3 × 3 convolutions and halves the image; each level of the decoder doubles it,
    joins the feature maps of the same level, and convolves twice again. Deep maps say what is there, shallow ones
    where.

    Shapes:  (C, H, W) → (channels[0], H, W); with padding valid the output is smaller: 572 → 388 in the paper.
    Units:   dropout is a probability.
    Raises:  ShapeError if the image cannot be halved at every level without a remainder.
    Source:  Ronneberger et al. 2015, arXiv:1505.04597; deviations: by default zeros are padded, so that the size is
             kept; 31,030,528 parameters up to the task's 1 × 1 convolution, for images of one channel.

    Example:
        {type: unet, channels: [8, 16, 32], norm: batch_norm}
    """

    primary: ClassVar[str] = "channels"
    type: Literal["unet"] = "unet"
    channels: list[Annotated[int, Field(gt=0)]] = Field([64, 128, 256, 512, 1024], min_length=2)
    """Channels of each level, from the finest to the coarsest."""
    padding: Literal["same", "valid"] = "same"
    """Whether convolutions keep the size; valid, as in the paper, pads nothing, and crops the maps that it joins."""
    upsampling: Literal["conv_transpose", "upsample"] = "conv_transpose"
    """How maps are doubled: a transposed 2 × 2 convolution, or nearest pixels and a 3 × 3 convolution."""
    norm: Literal["none", "batch_norm", "group_norm"] = "none"
    """Norm between a convolution and its relu."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a number of the coarsest maps is set to zero in training; 0 leaves the layer out."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def architecture(self, x: Spec) -> list[Any]:
        self._check(require_axes(x, "CHW", self.type))
        *finer, coarsest = self.channels
        layers = self._double_conv(coarsest) + dropout(self.dropout)
        lost = self._pixels_lost
        for width in reversed(finer):
            across: Any = {"crop": 2 * lost} if lost else "identity"
            around = {"branches": {"join": "concat", "of": [across, [{"max_pool": 2}, *layers, *self._up(width)]]}}
            layers = [*self._double_conv(width), around, *self._double_conv(width)]
            lost = 2 * lost + 2 * self._pixels_lost
        return layers

    @property
    def _pixels_lost(self) -> int:
        """Number of pixels that two convolutions take off each side."""
        return 2 if self.padding == "valid" else 0

    def _double_conv(self, width: int) -> list[Any]:
        fields: dict[str, Any] = {"channels": width, "kernel": 3}
        fields |= {"padding": "same"} if self.padding == "same" else {}
        norm: list[Any] = [] if self.norm == "none" else [self.norm]
        return [{"conv": fields}, *norm, "relu"] * 2

    def _up(self, width: int) -> list[Any]:
        if self.upsampling == "conv_transpose":
            return [{"conv_transpose": {"channels": width, "kernel": 2, "stride": 2}}]
        return [{"upsample": 2}, conv(width, 3, bias=True)]

    def _check(self, x: TensorSpec) -> None:
        """Raise ShapeError where a level has an odd number of pixels, of which half cannot be doubled again."""
        for size in x.spatial:
            for level in range(len(self.channels) - 1):
                size = None if size is None else size - 2 * self._pixels_lost
                if size is not None and (size % 2 or size <= 0):
                    wanted = f"level {level + 1} has {size} pixels, which cannot be halved"
                    raise ShapeError(f"unet with {len(self.channels)} levels does not fit a {x} input: {wanted}")
                size = None if size is None else size // 2
