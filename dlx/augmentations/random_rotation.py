from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, move_masks
from dlx.tensors import TensorSpec


class RandomRotation(Augmentation):
    """Random rotation: rotates images about their center by an angle from [−degrees, degrees]; corners fill with zeros.

    Shapes:  (C, H, W) kept. A mask moves along; where zeros come in, it gets the first class.
    Units:   degrees.
    Raises:  ShapeError if the input is not an image.
    Source:  kornia.augmentation.RandomRotation.

    Example:
        {random_rotation: 15}
    """

    primary: ClassVar[str] = "degrees"
    keeps_masks: ClassVar[bool] = True
    type: Literal["random_rotation"] = "random_rotation"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    degrees: float = Field(ge=0, le=180)
    """Largest angle either way."""

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "random_rotation")

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation import RandomRotation as Rotation

        from dlx.augmentations._warps_torch import warp_with_masks

        self.validate_input(x)
        return move_masks(warp_with_masks(Rotation(self.degrees, p=self.p)))
