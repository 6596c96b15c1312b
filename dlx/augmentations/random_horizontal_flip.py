from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, move_masks
from dlx.tensors import TensorSpec


class RandomHorizontalFlip(Augmentation):
    """Random horizontal flip: mirrors images left to right.

    For images whose class does not change under reflection: photographs of objects, not digits or text.

    Shapes:  (C, H, W) kept. A mask moves along.
    Raises:  ShapeError if the input is not an image.
    Source:  kornia.augmentation.RandomHorizontalFlip.

    Example:
        {type: random_horizontal_flip, p: 0.5}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_horizontal_flip"] = "random_horizontal_flip"

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, self.type)

    def build(self, x: TensorSpec, classes: int) -> Change:
        from dlx.augmentations._random import flip

        self.validate_input(x)
        return move_masks(partial(flip, axis=-1, p=self.p))
