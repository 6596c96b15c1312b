from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import CountBasedMetric

if TYPE_CHECKING:
    import torchmetrics


class F1(CountBasedMetric):
    """F1 score: the harmonic mean of precision and recall.

    2 TP / (2 TP + FP + FN). For rare classes, where accuracy rewards never predicting them. A class that is neither
    true nor predicted anywhere has none, and counts in no mean.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if there is no such class as `positive`, or `average: binary` meets more than two classes.
    Source:  scikit-learn's f1_score; counts by torchmetrics.

    Example:
        {type: f1, positive: "1"}
    """

    type: Literal["f1"] = "f1"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        return self.from_counts((2, 1, 1), facts)
