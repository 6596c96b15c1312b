from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.metrics._regression import RegressionMetric, target_stats

if TYPE_CHECKING:
    import torchmetrics


class MASE(RegressionMetric):
    """Mean absolute scaled error: in units of the error of the seasonal naive forecast.

    mean |ŷ − y| / mean |yₜ − yₜ₋ₘ|, where the second mean is over the train split and m is the series' season (1: the
    value before); each column has its own. Below 1 is better than the naive forecast is one season ahead. Comparable
    between series of any scale.

    Shapes:  values (B, K) and (B, K) of steps × columns, columns side by side.
    Raises:  ShapeError if the target is no series, or a column repeats itself exactly.
    Source:  Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001.

    Example:
        mase
    """

    type: Literal["mase"] = "mase"

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        scales = target_stats(facts).naive
        if not scales:
            raise ShapeError("mase is for series, but the target is none")
        if not all(scales):
            raise ShapeError("mase divides by the change from season to season, which is 0 for a column of the target")

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsoluteError

        self.validate_target(facts)
        return self.by_target(MeanAbsoluteError(), facts, scale=target_stats(facts).naive)
