from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._regression import ErrorMetric

if TYPE_CHECKING:
    import torchmetrics


class MSE(ErrorMetric):
    """Mean squared error, over all samples and outputs.

    mean (ŷ − y)². Zero is perfect; predicting the mean gives the target's variance.

    Units:   the square of the target's.
    Source:  torchmetrics MeanSquaredError.

    Example:
        {mse: {standardized: true}}
    """

    type: Literal["mse"] = "mse"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanSquaredError

        return self.by_target(MeanSquaredError(), facts)
