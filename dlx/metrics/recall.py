from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import CountBasedMetric

if TYPE_CHECKING:
    import torchmetrics


class Recall(CountBasedMetric):
    """Recall, also sensitivity: the fraction of the samples of a class that are found.

    TP / (TP + FN). Its macro mean is the balanced accuracy: a class without a sample has no recall, and counts in no
    mean.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if there is no such class as `positive`, or `average: binary` meets more than two classes.
    Source:  scikit-learn's recall_score and balanced_accuracy_score; counts by torchmetrics.

    Example:
        {type: recall, average: weighted}
    """

    type: Literal["recall"] = "recall"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        return self.from_counts((1, 0, 1), facts)
