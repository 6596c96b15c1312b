from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, Range, check_ascending, check_image, keep_target
from dlx.tensors import TensorSpec

Share = Annotated[float, Field(gt=0, le=1)]


class RandomErasing(Augmentation):
    """Random erasing (cutout): overwrites a random rectangle of each image.

    Prevents the network from relying on one part of an object, as cutout does.

    Shapes:  (C, H, W) kept.
    Units:   scale is a fraction of the area; ratio is height over width; value is in image units, 0 to 1.
    Raises:  ShapeError if the input is not an image.
    Source:  Zhong et al. 2017, arXiv:1708.04896; kornia.augmentation.RandomErasing.

    Example:
        {type: random_erasing, scale: [0.02, 0.2]}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_erasing"] = "random_erasing"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    scale: Annotated[list[Share], Field(min_length=2, max_length=2)] = Field(default_factory=lambda: [0.02, 0.33])
    """Smallest and largest fraction of the area that is erased."""
    ratio: Range = Field(default_factory=lambda: [0.3, 3.3])
    """Flattest and tallest rectangle."""
    value: float = Field(0.0, ge=0, le=1)
    """What it is painted with, from black to white."""

    @field_validator("scale", "ratio")
    @classmethod
    def _check_ranges(cls, values: list[float]) -> list[float]:
        return check_ascending(values, "a range")

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "random_erasing")

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation import RandomErasing as Erasing

        self.validate_input(x)
        scale, ratio = (self.scale[0], self.scale[1]), (self.ratio[0], self.ratio[1])
        return keep_target(Erasing(scale, ratio, value=self.value, p=self.p))
