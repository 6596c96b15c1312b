"""Warps by kornia that take masks along. Imports torch."""

from __future__ import annotations

from typing import Any

from kornia.constants import Resample
from torch import Tensor

from dlx.augmentations._images import Move


def warp_with_masks(warp: Any) -> Move:
    """Return a warp of images, and of masks by the same draws and the nearest pixel."""

    def change(images: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        moved = warp(images)
        if masks is None:
            return moved, None
        return moved, warp(masks, params=warp._params, resample=Resample.NEAREST)

    return change
