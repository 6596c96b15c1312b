from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._floats import to_float
from dlx.transforms._stats import as_float, check_numeric, monotone_stats

if TYPE_CHECKING:
    from torch import Tensor


class Log1p(Transform):
    """Log transform: log(1 + x).

    For counts and amounts of money, which spread over decades. `signed` maps negative values like positive ones:
    sign(x) · ln(1 + |x|). Missing values (NaN) stay missing.

    Shapes:  kept.
    Raises:  ShapeError if values of the train split are −1 or less and `signed` is off, or are codes of categories.

    Example:
        {type: log1p, signed: true}
    """

    type: Literal["log1p"] = "log1p"
    signed: bool = False
    """Whether negative values are mapped like positive ones, with their sign."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        x = check_numeric(x, "log1p")
        low = min(x.stats.low, default=0.0) if x.stats else 0.0
        if low <= -1 and not self.signed:
            raise ShapeError(
                f"log1p needs values above −1, but the train split goes down to {low:g}; set `signed: true`"
            )
        return as_float(x).replace(stats=monotone_stats(x.stats, self._log))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._signed_batch if self.signed else self._log_batch

    def _log(self, value: float) -> float:
        return math.copysign(math.log1p(abs(value)), value) if self.signed else math.log1p(value)

    @staticmethod
    def _log_batch(batch: Tensor) -> Tensor:
        return to_float(batch).log1p()

    @staticmethod
    def _signed_batch(batch: Tensor) -> Tensor:
        return to_float(batch).abs().log1p().copysign(batch)
