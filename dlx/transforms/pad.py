from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._floats import to_float
from dlx.transforms._images import check_image
from dlx.transforms._stats import as_float, mixture_stats

if TYPE_CHECKING:
    from torch import Tensor

Pixels = Annotated[int, Field(ge=0)]
Two = Annotated[list[Pixels], Field(min_length=2, max_length=2)]
Four = Annotated[list[Pixels], Field(min_length=4, max_length=4)]


class Pad(Transform):
    """Adds rows and columns around images.

    LeNet-5 takes 28 × 28 digits padded by 2 on each side. `reflect` mirrors the image at its border, `replicate`
    repeats its outermost pixels.

    Shapes:  (C, H, W) → (C, top + H + bottom, left + W + right).
    Units:   the value is in the units of the stored values: 0 to 255 for byte images, for which it is a whole number.
    Raises:  ShapeError if the input is no image, a mirrored border is as large, or bytes cannot hold the value.
    Source:  torch.nn.functional.pad.

    Example:
        {type: pad, padding: 2, value: 0}
    """

    primary: ClassVar[str] = "padding"
    type: Literal["pad"] = "pad"
    padding: Pixels | Two | Four
    """Pixels to add: one number for all sides, [vertical, horizontal], or [top, bottom, left, right]."""
    mode: Literal["constant", "reflect", "replicate"] = "constant"
    """What is added: one value, the mirrored image, or its outermost pixels."""
    value: float = 0.0
    """With `mode: constant`: the value of what is added."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        channels, height, width = check_image(x, "pad").dims
        self._check(x)
        top, bottom, left, right = self._sides()
        rows = None if height is None else height + top + bottom
        columns = None if width is None else width + left + right
        y = x if self.mode == "constant" else as_float(x)
        y = y.replace(dims=(channels, rows, columns))
        if self.mode != "constant" or None in y.dims:
            return y
        return y.replace(stats=mixture_stats(x.stats, self.value, share=1 - x.elements / y.elements))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._pad

    def _pad(self, batch: Tensor) -> Tensor:
        from torch.nn.functional import pad

        top, bottom, left, right = self._sides()
        if self.mode == "constant":
            return pad(batch, (left, right, top, bottom), value=self.value)
        return pad(to_float(batch), (left, right, top, bottom), mode=self.mode)

    def _sides(self) -> tuple[int, ...]:
        """Return (top, bottom, left, right)."""
        match self.padding:
            case int(every):
                return every, every, every, every
            case [vertical, horizontal]:
                return vertical, vertical, horizontal, horizontal
            case sides:
                return tuple(sides)

    def _check(self, x: TensorSpec) -> None:
        _, height, width = x.dims
        top, bottom, left, right = self._sides()
        mirrored = self.mode == "reflect"
        if mirrored and (max(top, bottom) >= (height or math.inf) or max(left, right) >= (width or math.inf)):
            raise ShapeError(f"pad cannot mirror a border that is as large as the image ({x})")
        if self.mode == "constant" and x.dtype == "uint8" and self.value not in range(256):
            raise ShapeError(f"pad: bytes hold whole numbers from 0 to 255, not {self.value:g}")
