from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._images import Size, check_image, height_width

if TYPE_CHECKING:
    from torch import Tensor


class CenterCrop(Transform):
    """Center crop: cuts out the center of images.

    Where an odd number of rows or columns goes, the smaller half goes at the top or left. The statistics are taken to
    be those of the whole images.

    Shapes:  (C, H, W) → (C, height, width).
    Raises:  ShapeError if the input is not an image or is smaller than the crop.

    Example:
        {type: center_crop, size: 24}
    """

    primary: ClassVar[str] = "size"
    type: Literal["center_crop"] = "center_crop"
    size: Size
    """Height and width of what is kept: one number for both, or [height, width]."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        self._corner(check_image(x, "center_crop").dims[1], x.dims[2])
        return x.replace(dims=(x.dims[0], *height_width(self.size)))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._crop

    def _crop(self, batch: Tensor) -> Tensor:
        top, left = self._corner(batch.shape[-2], batch.shape[-1])
        height, width = height_width(self.size)
        return batch[..., top : top + height, left : left + width]

    def _corner(self, rows: int | None, columns: int | None) -> tuple[int, int]:
        """Return the first row and column that are kept; an unknown size is taken to fit."""
        height, width = height_width(self.size)
        top, left = (height if rows is None else rows) - height, (width if columns is None else columns) - width
        if top < 0 or left < 0:
            raise ShapeError(
                f"center_crop cannot cut {height} × {width} out of {rows} × {columns}; resize or pad first"
            )
        return top // 2, left // 2
