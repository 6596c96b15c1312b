from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._percentage import PercentageErrorMetric

if TYPE_CHECKING:
    import torchmetrics


class SMAPE(PercentageErrorMetric):
    """Symmetric mean absolute percentage error: relative to the mean of prediction and target.

    mean 2 |ŷ − y| / (|ŷ| + |y|): as mape, but bounded where targets are near 0, and the same if both are exchanged. For
    positive targets; the measure of the M competitions.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   0 … 2; 0.1 is 10 %.
    Source:  Makridakis & Hibon 2000, doi:10.1016/S0169-2070(00)00057-1; torchmetrics
             SymmetricMeanAbsolutePercentageError.

    Example:
        smape
    """

    type: Literal["smape"] = "smape"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import SymmetricMeanAbsolutePercentageError

        return self.by_magnitude(SymmetricMeanAbsolutePercentageError(), facts)
