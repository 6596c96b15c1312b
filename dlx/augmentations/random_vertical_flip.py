from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, move_masks
from dlx.tensors import TensorSpec


class RandomVerticalFlip(Augmentation):
    """Random vertical flip: mirrors images top to bottom.

    For images without a canonical orientation: satellite images, cells under a microscope.

    Shapes:  (C, H, W) kept. A mask moves along.
    Raises:  ShapeError if the input is not an image.
    Source:  kornia.augmentation.RandomVerticalFlip.

    Example:
        {type: random_vertical_flip, p: 0.5}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_vertical_flip"] = "random_vertical_flip"

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, self.type)

    def build(self, x: TensorSpec, classes: int) -> Change:
        from dlx.augmentations._random import flip

        self.validate_input(x)
        return move_masks(partial(flip, axis=-2, p=self.p))
