from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric
from dlx.metrics._per_class import check_binary

if TYPE_CHECKING:
    import torchmetrics


class AveragePrecision(Metric):
    """Average precision: the area under the precision-recall curve, one class against the rest.

    Chance is the frequency of the class, so that it is more informative than auroc where the class is rare. For two
    classes, `binary` is what is usually meant.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics AveragePrecision.

    Example:
        average_precision
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["average_precision"] = "average_precision"
    average: Literal["macro", "weighted", "binary"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its number of samples; `binary`: the last of two
    classes alone, as the positive one (`yes` of no/yes, `1` of 0/1)."""
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null uses every score."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.average == "binary":
            check_binary(self.type, facts)

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import (
            BinaryAveragePrecision,
            MulticlassAveragePrecision,
            MultilabelAveragePrecision,
        )

        from dlx.metrics._positive_torch import positive_class_metric

        self.validate_target(facts)
        if self.average == "binary":
            return positive_class_metric(BinaryAveragePrecision(thresholds=self.thresholds))
        metric = MultilabelAveragePrecision if facts.kind == "labels" else MulticlassAveragePrecision
        return metric(len(facts.classes), average=self.average, thresholds=self.thresholds)
