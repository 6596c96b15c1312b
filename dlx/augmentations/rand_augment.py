from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_image, keep_target
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class RandAugment(Augmentation):
    """RandAugment: applies n random operations of one magnitude: color changes, affine warps and filters.

    Two numbers replace a search for a policy: how many operations, and how strong. The strong augmentation of
    photographs. Gray images are treated as color images with three equal channels.

    Shapes:  (3, H, W) or (1, H, W) kept.
    Units:   the input is from 0 to 1, and so is the result; m is a strength out of 30.
    Raises:  ShapeError if the input is not an image with 1 or 3 channels.
    Source:  Cubuk et al. 2020, arXiv:1909.13719; kornia.augmentation.auto.RandAugment. Deviation: the
             operations are drawn for `groups` parts of the batch, not for each image.

    Example:
        {type: rand_augment, n: 2, m: 9}
    """

    type: Literal["rand_augment"] = "rand_augment"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("kornia",)
    p: float = Field(1.0, ge=0, le=1)
    """Probability that a sample is changed."""
    n: int = Field(2, ge=1, le=10)
    """Operations applied one after the other."""
    m: int = Field(9, ge=1, le=29)
    """Strength of every operation."""
    groups: int = Field(4, ge=1)
    """Parts of the batch that draw their operations separately: more variety, more time."""

    def validate_input(self, x: TensorSpec) -> None:
        check_image(x, "rand_augment", (1, 3))

    def build(self, x: TensorSpec, classes: int) -> Change:
        from kornia.augmentation.auto import RandAugment as Operations

        self.validate_input(x)
        return keep_target(partial(self._augment, operations=Operations(self.n, self.m)))

    def _augment(self, images: Tensor, operations: Callable[[Tensor], Tensor]) -> Tensor:
        import torch

        from dlx.augmentations._random import sample_mask

        color = images.expand(-1, 3, -1, -1)
        changed = torch.cat([operations(part) for part in color.chunk(self.groups)])[:, : images.shape[1]]
        return images.where(~sample_mask(images, self.p), changed)
