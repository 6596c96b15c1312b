from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._floats import to_float
from dlx.transforms._stats import as_float, check_numeric, monotone_stats

if TYPE_CHECKING:
    from torch import Tensor


class Clip(Transform):
    """Clips values to a range.

    Tames outliers whose exact size says little. Missing values (NaN) stay missing.

    Shapes:  kept.
    Units:   of the stored values: 0 to 255 for byte images.
    Raises:  ShapeError if the values are codes of categories.

    Example:
        {type: clip, min: -3.0, max: 3.0}
    """

    type: Literal["clip"] = "clip"
    min: float | None = None
    """Smallest value that is left, null for no limit."""
    max: float | None = None
    """Largest value that is left, null for no limit."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Clip:
        if self.min is None and self.max is None:
            raise ValueError("clip needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def spec(self, x: TensorSpec) -> TensorSpec:
        return as_float(check_numeric(x, "clip")).replace(stats=monotone_stats(x.stats, self._clip))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._clip_batch

    def _clip(self, value: float) -> float:
        value = value if self.min is None else max(value, self.min)
        return value if self.max is None else min(value, self.max)

    def _clip_batch(self, batch: Tensor) -> Tensor:
        return to_float(batch).clamp(self.min, self.max)
