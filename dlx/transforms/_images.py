"""What transforms of images have in common. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

Pixels = Annotated[int, Field(gt=0)]
Size = Pixels | Annotated[list[Pixels], Field(min_length=2, max_length=2)]
"""Height and width: one number for both, or [height, width]."""


def check_image(x: TensorSpec, what: str) -> TensorSpec:
    """Return x if it is an image. Raises: ShapeError."""
    if x.axes != "CHW":
        raise ShapeError(f"{what} takes images (channels × height × width), but gets {x} ({x.axes or 'a scalar'})")
    return x


def height_width(size: int | list[int]) -> tuple[int, int]:
    """Return (height, width) of a size."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
