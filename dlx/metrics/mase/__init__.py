from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MASE(Metric):
    """The mean absolute error, in units of the error of forecasting each value by that of one season before.

    mean |ŷ − y| / mean |yₜ − yₜ₋ₘ|, where the second mean is over the train split and m is the series' season (1: the
    value before). Below 1 is better than the naive forecast is one season ahead. Comparable between series of any
    scale.

    Shapes:  values (B, K) and (B, K) of steps × columns, columns side by side.
    Raises:  ShapeError if the target is no series, or a column repeats itself exactly.
    Source:  Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001.

    Example:
        mase
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    type: Literal["mase"] = "mase"

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        changes = self._changes(facts)
        if not changes:
            raise ShapeError("mase compares with the past of a series, but the target is none")
        if not all(changes):
            raise ShapeError("mase divides by the change from season to season, which is 0 for a column of the target")

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.mase.module import ScaledError

        self.validate_target(facts)
        return ScaledError(self._changes(facts))

    def _changes(self, facts: DataFacts) -> tuple[float, ...]:
        stats = facts.fields["target"].stats
        return () if stats is None else stats.naive
