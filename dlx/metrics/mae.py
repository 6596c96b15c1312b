from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._regression import ErrorMetric

if TYPE_CHECKING:
    import torchmetrics


class MAE(ErrorMetric):
    """Mean absolute error, over all samples and outputs.

    mean |ŷ − y|. Zero is perfect; outliers weigh in proportion, not by their square.

    Units:   those of the target.
    Source:  torchmetrics MeanAbsoluteError.

    Example:
        mae
    """

    type: Literal["mae"] = "mae"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsoluteError

        return self.by_target(MeanAbsoluteError(), facts)
