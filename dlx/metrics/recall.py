from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._per_class import PerClassMetric

if TYPE_CHECKING:
    import torchmetrics


class Recall(PerClassMetric):
    """Recall, also sensitivity: the fraction of the samples of a class that are found.

    TP / (TP + FN). Its macro mean is the balanced accuracy.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K), yes above 0.5.
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics Recall.

    Example:
        {type: recall, average: weighted}
    """

    type: Literal["recall"] = "recall"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import BinaryRecall, MulticlassRecall, MultilabelRecall

        return self.select(facts, BinaryRecall, MulticlassRecall, MultilabelRecall)
