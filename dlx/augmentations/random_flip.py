from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, move_masks
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class RandomFlip(Augmentation):
    """Mirrors images, each direction with probability p.

    For pictures that mean the same in a mirror: photographs of things, not digits or text.

    Shapes:  (C, H, W) kept.
    Raises:  ShapeError if the input is not an image.

    Example:
        {type: random_flip, horizontal: true, vertical: false}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_flip"] = "random_flip"
    horizontal: bool = True
    """Whether left and right are exchanged."""
    vertical: bool = False
    """Whether top and bottom are exchanged."""

    def check(self, x: TensorSpec) -> None:
        check_image(x, "random_flip")

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.check(x)
        return move_masks(self._flip)

    def _flip(self, images: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        from dlx.augmentations._random import chosen

        for axis, wanted in ((-1, self.horizontal), (-2, self.vertical)):
            if wanted:
                same = ~chosen(images, self.p)
                images = images.where(same, images.flip(axis))
                masks = None if masks is None else masks.where(same, masks.flip(axis))
        return images, masks
