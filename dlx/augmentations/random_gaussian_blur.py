from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, Range, check_ascending, check_image, keep_target
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec


class RandomGaussianBlur(Augmentation):
    """Random Gaussian blur, with a standard deviation drawn uniformly from a range.

    For photographs in and out of focus. The kernel reaches three deviations of the widest Gaussian to each side.

    Shapes:  (C, H, W) kept.
    Units:   sigma is in pixels.
    Raises:  ShapeError if the input is not an image, or is smaller than the kernel.
    Source:  kornia.augmentation.RandomGaussianBlur.

    Example:
        {type: random_gaussian_blur, sigma: [0.1, 1.5]}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["random_gaussian_blur"] = "random_gaussian_blur"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    sigma: Range = Field(default_factory=lambda: [0.1, 2.0])
    """Smallest and largest deviation of the Gaussian."""

    @field_validator("sigma")
    @classmethod
    def _check_sigma(cls, sigma: list[float]) -> list[float]:
        return check_ascending(sigma, "sigma")

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "random_gaussian_blur")
        if any(side is not None and side <= self._radius() for side in x.spatial):
            raise ShapeError(
                f"{self.type}: sigma {self.sigma[1]:g} needs sides of more than {self._radius()} pixels, but gets {x}"
            )

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation import RandomGaussianBlur as Blur

        self.validate_input(x)
        kernel = 2 * self._radius() + 1
        return keep_target(Blur((kernel, kernel), (self.sigma[0], self.sigma[1]), p=self.p))

    def _radius(self) -> int:
        return math.ceil(3 * self.sigma[1])
