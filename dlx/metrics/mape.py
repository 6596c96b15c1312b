from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._percentage import PercentageErrorMetric

if TYPE_CHECKING:
    import torchmetrics


class MAPE(PercentageErrorMetric):
    """Mean absolute percentage error: the mean of the absolute errors, each relative to the true value.

    mean |ŷ − y| / |y|. For positive targets of many magnitudes; a target near zero makes it huge.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   a fraction: 0.1 is 10 %.
    Source:  torchmetrics MeanAbsolutePercentageError.

    Example:
        mape
    """

    type: Literal["mape"] = "mape"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsolutePercentageError

        return self.by_magnitude(MeanAbsolutePercentageError(), facts)
