from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics._per_class import ClassMetric

if TYPE_CHECKING:
    import torchmetrics


class AUROC(ClassMetric):
    """Area under the ROC curve: the probability that a sample of a class is ranked above a sample of another.

    The area under the curve of true over false positive rate, one class against the rest: 0.5 is chance, 1 perfect
    ranking, independent of the threshold and of how rare the class is. For two classes both have the same area. A
    class of which there is no sample, or no other, has no curve, and counts in no mean.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Raises:  ShapeError if there is no such class as `positive`, or `average: binary` meets more than two classes.
    Source:  torchmetrics AUROC.

    Example:
        auroc
    """

    type: Literal["auroc"] = "auroc"
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null uses every score."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAUROC, MultilabelAUROC

        from dlx.metrics._per_class_torch import CurveMetric

        positive, classes = self.positive_index(facts), len(facts.classes)
        curve = MultilabelAUROC if facts.kind == "labels" else MulticlassAUROC
        areas = curve(classes, average=None, thresholds=self.thresholds)
        return CurveMetric(areas, classes, self.average, positive, needs_negatives=True)
