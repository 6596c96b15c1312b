from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, move_masks
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class RandomCrop(Augmentation):
    """Random crop: cuts a window out of the padded image at a random position.

    With the image's own size it shifts the image by up to `padding` pixels; a smaller window is enlarged to the
    image's size again. The classic augmentation of small photographs (padding 4 for 32 × 32).

    Shapes:  (C, H, W) kept. A mask moves along; where zeros are added, it gets the first class.
    Units:   padding and size are in pixels.
    Raises:  ShapeError if the input is not an image of known size, or the window does not fit in it.
    Source:  He et al. 2016, arXiv:1512.03385, section 4.2.

    Example:
        {type: random_crop, padding: 4}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_crop"] = "random_crop"
    p: float = Field(1.0, ge=0, le=1)
    """Probability that a sample is changed."""
    padding: int = Field(0, ge=0)
    """Pixels added on every side before cutting."""
    size: int | None = Field(None, gt=0)
    """Height and width of the window, null for those of the image."""
    padding_mode: Literal["constant", "reflect", "replicate"] = "constant"
    """What is added: zeros, the mirrored image, or its outermost pixels."""

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "random_crop")
        height, width = x.spatial
        if height is None or width is None:
            raise ShapeError(f"random_crop needs images of one size, but gets {x}; resize them first")
        if self.padding_mode == "reflect" and self.padding >= min(height, width):
            raise ShapeError(f"random_crop cannot mirror a border of {self.padding} pixels of images of {x}")
        if self.size and self.size > min(height, width) + 2 * self.padding:
            raise ShapeError(f"random_crop cannot cut {self.size} × {self.size} out of {x} padded by {self.padding}")

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        return move_masks(self._crop)

    def _crop(self, images: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        import torch
        from torch.nn.functional import interpolate, pad

        from dlx.augmentations._random import random_windows, sample_mask

        both = images if masks is None else torch.cat([images, masks], 1)
        full = (images.shape[-2], images.shape[-1])
        size = (self.size, self.size) if self.size else full
        cut, cut_masks = random_windows(pad(both, (self.padding,) * 4, mode=self.padding_mode), size).split(
            [images.shape[1], both.shape[1] - images.shape[1]], 1
        )
        if size != full:
            cut = interpolate(cut, size=full, mode="bilinear")
            cut_masks = cut_masks if masks is None else interpolate(cut_masks, size=full, mode="nearest-exact")
        same = ~sample_mask(images, self.p)
        return images.where(same, cut), None if masks is None else masks.where(same, cut_masks)
