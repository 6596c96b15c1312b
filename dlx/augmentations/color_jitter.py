from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, keep_target
from dlx.tensors import TensorSpec


class ColorJitter(Augmentation):
    """Color jitter: changes brightness, contrast, saturation and hue of images, in random order.

    Brightness, contrast and saturation are multiplied by a factor from [1 − a, 1 + a]; the hue is shifted by a fraction
    of the color circle from [−h, h]. For photographs under different light.

    Shapes:  (3, H, W) kept; (1, H, W) where saturation and hue are 0.
    Units:   the input is from 0 to 1, and so is the result.
    Raises:  ShapeError if the input is not such an image.
    Source:  kornia.augmentation.ColorJitter.

    Example:
        {type: color_jitter, brightness: 0.2, contrast: 0.2}
    """

    keeps_masks: ClassVar[bool] = True
    type: Literal["color_jitter"] = "color_jitter"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    brightness: float = Field(0.0, ge=0, le=1)
    """Largest relative change of brightness."""
    contrast: float = Field(0.0, ge=0, le=1)
    """Largest relative change of contrast."""
    saturation: float = Field(0.0, ge=0, le=1)
    """Largest relative change of saturation."""
    hue: float = Field(0.0, ge=0, le=0.5)
    """Largest shift of the hue, as a fraction of the color circle."""

    def validate_input(self, x: TensorSpec) -> None:
        if self.saturation > 0 or self.hue > 0:
            check_image(x, "color_jitter with saturation or hue", (3,))
        check_image(x, "color_jitter", (1, 3))

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation import ColorJitter as Jitter

        self.validate_input(x)
        return keep_target(Jitter(self.brightness, self.contrast, self.saturation, self.hue, p=self.p))
