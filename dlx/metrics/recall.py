from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._averaged import Averaged

if TYPE_CHECKING:
    import torchmetrics


class Recall(Averaged):
    """The fraction of the samples of a class that are found.

    TP / (TP + FN): what is so, it says. Its macro mean is the balanced accuracy.

    Shapes:  probabilities (B, K) and indices (B,), or probabilities (B, K) and 0/1 (B, K), yes from 0.5.
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics Recall.

    Example:
        {type: recall, average: weighted}
    """

    type: Literal["recall"] = "recall"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import BinaryRecall, MulticlassRecall, MultilabelRecall

        return self.choose(facts, BinaryRecall, MulticlassRecall, MultilabelRecall)
