from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import CountBasedMetric

if TYPE_CHECKING:
    import torchmetrics


class Precision(CountBasedMetric):
    """Precision: the fraction of the predictions of a class that are correct.

    TP / (TP + FP). A class that is never predicted counts as 0; one that is not true either has no precision, and
    counts in no mean.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if there is no such class as `positive`, or `average: binary` meets more than two classes.
    Source:  scikit-learn's precision_score; counts by torchmetrics.

    Example:
        {type: precision, average: weighted}
    """

    type: Literal["precision"] = "precision"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        return self.from_counts((1, 1, 0), facts)
