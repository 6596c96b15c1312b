from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class AUROC(Metric):
    """Area under the ROC curve: the probability that a sample of a class is ranked above a sample of another.

    The area under the curve of true over false positive rate, one class against the rest: 0.5 is chance, 1 perfect
    ranking, independent of the threshold and of how rare the class is. For two classes both have the same area.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Source:  torchmetrics AUROC.

    Example:
        auroc
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["auroc"] = "auroc"
    average: Literal["macro", "weighted"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its number of samples."""
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null uses every score."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAUROC, MultilabelAUROC

        metric = MultilabelAUROC if facts.kind == "labels" else MulticlassAUROC
        return metric(len(facts.classes), average=self.average, thresholds=self.thresholds)
