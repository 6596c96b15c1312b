from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class AUROC(Metric):
    """The probability that a sample of a class gets a higher score for it than a sample of another.

    The area under the curve of true over false positives, one class against the rest: 0.5 is chance, 1 perfect ranking,
    whatever the threshold and however rare the class. For two classes both have the same area.

    Shapes:  probabilities (B, K) and indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Source:  torchmetrics AUROC.

    Example:
        auroc
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["auroc"] = "auroc"
    average: Literal["macro", "weighted"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its samples."""
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null keeps every score."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAUROC, MultilabelAUROC

        made = MultilabelAUROC if facts.kind == "labels" else MulticlassAUROC
        return made(len(facts.classes), average=self.average, thresholds=self.thresholds)
