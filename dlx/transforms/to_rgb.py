from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._images import check_image
from dlx.transforms._stats import repeat_stats

if TYPE_CHECKING:
    from torch import Tensor


class ToRgb(Transform):
    """Converts grayscale images to RGB by repeating their channel, for networks that expect three channels.

    Shapes:  (1, H, W) → (3, H, W).
    Raises:  ShapeError if the input is not an image with 1 channel.

    Example:
        {type: to_rgb}
    """

    type: Literal["to_rgb"] = "to_rgb"

    def spec(self, x: TensorSpec) -> TensorSpec:
        if check_image(x, "to_rgb").dims[0] != 1:
            raise ShapeError(f"to_rgb takes images with 1 channel, but gets {x}")
        return x.replace(dims=(3, *x.spatial), stats=repeat_stats(x.stats, 3))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return _three_times


def _three_times(batch: Tensor) -> Tensor:
    return batch.repeat(1, 3, 1, 1)
