from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MASE(Metric):
    """Mean absolute scaled error: in units of the error of the seasonal naive forecast.

    mean |ŷ − y| / mean |yₜ − yₜ₋ₘ|, where the second mean is over the train split and m is the series' season (1: the
    value before). Below 1 is better than the naive forecast is one season ahead. Comparable between series of any
    scale.

    Shapes:  values (B, K) and (B, K) of steps × columns, columns side by side.
    Raises:  ShapeError if the target is no series, or a column repeats itself exactly.
    Source:  Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001.

    Example:
        mase
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    type: Literal["mase"] = "mase"

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        scales = self._scales(facts)
        if not scales:
            raise ShapeError("mase is for series, but the target is none")
        if not all(scales):
            raise ShapeError("mase divides by the change from season to season, which is 0 for a column of the target")

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.mase.module import MeanAbsoluteScaledError

        self.validate_target(facts)
        return MeanAbsoluteScaledError(self._scales(facts))

    def _scales(self, facts: DataFacts) -> tuple[float, ...]:
        stats = facts.fields["target"].stats
        return () if stats is None else stats.naive
