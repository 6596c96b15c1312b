from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import PerClassMetric

if TYPE_CHECKING:
    import torchmetrics


class F1(PerClassMetric):
    """F1 score: the harmonic mean of precision and recall.

    2 TP / (2 TP + FP + FN). For rare classes, where accuracy rewards never predicting them.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics F1Score.

    Example:
        {type: f1, average: weighted}
    """

    type: Literal["f1"] = "f1"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import BinaryF1Score, MulticlassF1Score, MultilabelF1Score

        return self.select(facts, BinaryF1Score, MulticlassF1Score, MultilabelF1Score)
