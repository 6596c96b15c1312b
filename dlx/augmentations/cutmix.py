from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class Cutmix(Augmentation):
    """CutMix: pastes a rectangle of another image of the batch into each, and mixes the targets by area.

    The rectangle has the image's proportions and the area 1 − λ with λ ~ Beta(α, α), about a random center; where it
    sticks out it is cut off, and λ becomes the share of pixels that are left. Unlike mixup, every part of the image
    looks natural.

    Shapes:  (C, H, W) kept; targets (B,) of K classes → (B, K).
    Raises:  ShapeError if the input is not an image, or the target is not one of classes.
    Source:  Yun et al. 2019, arXiv:1905.04899; deviation: λ is drawn for each sample, not for each batch.

    Example:
        {type: cutmix, alpha: 1.0}
    """

    primary: ClassVar[str] = "alpha"
    mixes: ClassVar[bool] = True
    type: Literal["cutmix"] = "cutmix"
    p: float = Field(1.0, ge=0, le=1)
    """Probability that a sample is changed."""
    alpha: float = Field(1.0, gt=0)
    """How large the rectangles are: toward 0 nothing or all, 1 uniform in area, more is nearer to half the image."""

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "cutmix")

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        if classes == 0:
            raise ShapeError("cutmix mixes classes, but the target is a number; use mixup")
        return partial(self._mix, classes=classes)

    def _mix(self, images: Tensor, target: Any, classes: int) -> tuple[Tensor, Any]:
        import torch

        from dlx.augmentations._random import mix_targets, random_rectangles, sample_lambda

        height, width = images.shape[-2], images.shape[-1]
        inside_BHW = random_rectangles(1 - sample_lambda(images, self.alpha, self.p), height, width).to(images.device)
        partner = torch.randperm(len(images)).to(images.device)
        left_B = 1 - inside_BHW.float().mean((1, 2))
        mixed = images[partner].where(inside_BHW[:, None], images)
        return mixed, mix_targets(target, partner, left_B, classes)
