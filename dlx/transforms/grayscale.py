from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import Stats, TensorSpec
from dlx.transforms import Transform
from dlx.transforms._images import check_image
from dlx.transforms._stats import as_float

if TYPE_CHECKING:
    from torch import Tensor


LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601)."""


class Grayscale(Transform):
    """Converts color images to grayscale: 0.299 R + 0.587 G + 0.114 B.

    For tasks where color says nothing. The deviation in the statistics is the one that channels have which move
    together, as those of photographs nearly do.

    Shapes:  (3, H, W) → (1, H, W).
    Units:   those of the input; bytes become floats from 0 to 255.
    Raises:  ShapeError if the input is not an image with 3 channels.
    Source:  ITU-R BT.601, the weights that Pillow and OpenCV use.

    Example:
        {type: grayscale}
    """

    type: Literal["grayscale"] = "grayscale"

    def spec(self, x: TensorSpec) -> TensorSpec:
        if check_image(x, "grayscale").dims[0] != len(LUMA):
            raise ShapeError(f"grayscale takes images with 3 channels, but gets {x}")
        stats = x.stats and Stats(
            mean=_luma(x.stats.mean), std=_luma(x.stats.std), low=_luma(x.stats.low), high=_luma(x.stats.high)
        )
        return as_float(x).replace(dims=(1, *x.spatial), stats=stats)

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return _brightness


def _luma(values: tuple[float, ...]) -> tuple[float, ...]:
    return (sum(w * v for w, v in zip(LUMA, values, strict=True)),) if values else ()


def _brightness(batch: Tensor) -> Tensor:
    red, green, blue = LUMA
    return red * batch[:, 0:1] + green * batch[:, 1:2] + blue * batch[:, 2:3]
