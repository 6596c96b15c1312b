from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._stats import affine_stats, as_float, check_numeric, per_channel

if TYPE_CHECKING:
    from torch import Tensor


class Scale(Transform):
    """Multiplies and adds: factor · x + shift.

    For a change of units or a range that is known without looking at the data: factor 1/127.5 and shift −1 bring
    bytes to [−1, 1].

    Shapes:  kept.
    Units:   of the stored values: 0 to 255 for byte images.
    Raises:  ShapeError if a list has not one number a channel, or the values are codes of categories.

    Example:
        {type: scale, factor: 0.0078431, shift: -1.0}
    """

    primary: ClassVar[str] = "factor"
    type: Literal["scale"] = "scale"
    factor: float | list[float] = 1.0
    """What values are multiplied by, one number or one a channel."""
    shift: float | list[float] = 0.0
    """What is then added, one number or one a channel."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        return as_float(x).replace(stats=affine_stats(x.stats, *self._constants(x)))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        from dlx.transforms._affine import ScaleShift

        return ScaleShift(x, *self._constants(x))

    def build_inverse(self, x: TensorSpec) -> Callable[[Tensor], Tensor] | None:
        from dlx.transforms._affine import Standardize

        factor, shift = self._constants(x)
        return Standardize(x, shift, factor) if all(factor) else None

    def _constants(self, x: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
        x = check_numeric(x, "scale")
        return per_channel(self.factor, x, "factor"), per_channel(self.shift, x, "shift")
