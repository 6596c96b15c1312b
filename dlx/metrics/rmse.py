from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._regression import ErrorMetric

if TYPE_CHECKING:
    import torchmetrics


class RMSE(ErrorMetric):
    """Root mean squared error, over all samples and outputs.

    √ mean (ŷ − y)². As mse, in the target's own units: predicting the mean gives its standard deviation.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   those of the target.
    Source:  torchmetrics MeanSquaredError.

    Example:
        rmse
    """

    type: Literal["rmse"] = "rmse"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanSquaredError

        return self.by_target(MeanSquaredError(squared=False), facts)
