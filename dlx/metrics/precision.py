from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import PerClassMetric

if TYPE_CHECKING:
    import torchmetrics


class Precision(PerClassMetric):
    """Precision: the fraction of the predictions of a class that are right.

    TP / (TP + FP). A class that is never predicted counts as 0.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics Precision.

    Example:
        {type: precision, average: weighted}
    """

    type: Literal["precision"] = "precision"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import BinaryPrecision, MulticlassPrecision, MultilabelPrecision

        return self.select(facts, BinaryPrecision, MulticlassPrecision, MultilabelPrecision)
