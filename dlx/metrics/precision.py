from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.metrics._averaged import Averaged

if TYPE_CHECKING:
    import torchmetrics


class Precision(Averaged):
    """The fraction of the answers of a class that are right.

    TP / (TP + FP): what it says is so, is so. A class that is never answered counts as 0.

    Shapes:  probabilities (B, K) and indices (B,), or probabilities (B, K) and 0/1 (B, K), yes from 0.5.
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics Precision.

    Example:
        {type: precision, average: weighted}
    """

    type: Literal["precision"] = "precision"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import BinaryPrecision, MulticlassPrecision, MultilabelPrecision

        return self.choose(facts, BinaryPrecision, MulticlassPrecision, MultilabelPrecision)
