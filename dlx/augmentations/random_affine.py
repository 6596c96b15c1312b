from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, Range, check_ascending, check_image, move_masks
from dlx.tensors import TensorSpec


class RandomAffine(Augmentation):
    """Random affine transformation: rotation, translation, scaling and shear of images.

    One warp with bilinear interpolation; each part is drawn uniformly. Good for handwriting, where 10 degrees and a
    tenth of the size are common variation.

    Shapes:  (C, H, W) kept. A mask moves along; where zeros come in, it gets the first class.
    Units:   degrees and shear in degrees, drawn from [−a, a]; translate in fractions of the size; scale is a factor.
    Raises:  ShapeError if the input is not an image.
    Source:  kornia.augmentation.RandomAffine.

    Example:
        {type: random_affine, degrees: 10, translate: 0.1, scale: [0.9, 1.1], shear: 5}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_affine"] = "random_affine"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    degrees: float = Field(0.0, ge=0, le=180)
    """Largest rotation either way."""
    translate: float = Field(0.0, ge=0, le=1)
    """Largest shift either way, as a fraction of width and height."""
    scale: Range = Field(default_factory=lambda: [1.0, 1.0])
    """Smallest and largest zoom factor."""
    shear: float = Field(0.0, ge=0, lt=90)
    """Largest horizontal shear either way."""
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros"
    """What comes in from outside: zeros, the outermost pixels, or the mirrored image."""

    @field_validator("scale")
    @classmethod
    def _check_scale(cls, scale: list[float]) -> list[float]:
        return check_ascending(scale, "scale")

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "random_affine")

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation import RandomAffine as Warp

        from dlx.augmentations._warps_torch import warp_with_masks

        self.validate_input(x)
        warp = Warp(
            degrees=self.degrees,
            translate=(self.translate, self.translate),
            scale=(self.scale[0], self.scale[1]),
            shear=self.shear,
            padding_mode=self.padding_mode,
            p=self.p,
        )
        return move_masks(warp_with_masks(warp))
