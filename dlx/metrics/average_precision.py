from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics._per_class import ClassMetric

if TYPE_CHECKING:
    import torchmetrics


class AveragePrecision(ClassMetric):
    """Average precision: the area under the precision-recall curve, one class against the rest.

    Chance is the frequency of the class, so that it is more informative than auroc where the class is rare. For two
    classes, `binary` is what is usually meant. A class without a sample has no curve, and counts in no mean.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Raises:  ShapeError if there is no such class as `positive`, or `average: binary` meets more than two classes.
    Source:  torchmetrics AveragePrecision.

    Example:
        average_precision
    """

    type: Literal["average_precision"] = "average_precision"
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null uses every score."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAveragePrecision, MultilabelAveragePrecision

        from dlx.metrics._per_class_torch import CurveMetric

        positive, classes = self.positive_index(facts), len(facts.classes)
        curve = MultilabelAveragePrecision if facts.kind == "labels" else MulticlassAveragePrecision
        areas = curve(classes, average=None, thresholds=self.thresholds)
        return CurveMetric(areas, classes, self.average, positive, needs_negatives=False)
