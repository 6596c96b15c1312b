from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._stats import check_numeric, monotone_stats

if TYPE_CHECKING:
    from torch import Tensor


class Binarize(Transform):
    """Binarization: 1 where a value is above a threshold, 0 elsewhere.

    Gives the black-and-white inputs of early networks. A missing value (NaN) becomes 0.

    Shapes:  kept.
    Units:   the threshold is in the units of the stored values: 0 to 255 for byte images.
    Raises:  ShapeError if the values are codes of categories.

    Example:
        {binarize: 127.5}
    """

    primary: ClassVar[str] = "threshold"
    type: Literal["binarize"] = "binarize"
    threshold: float
    """Values above it become 1."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        stats = monotone_stats(check_numeric(x, "binarize").stats, self._above)
        return x.replace(dtype="float32", stats=stats)

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return self._above_batch

    def _above(self, value: float) -> float:
        return float(value > self.threshold)

    def _above_batch(self, batch: Tensor) -> Tensor:
        return (batch > self.threshold).float()
