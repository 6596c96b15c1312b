from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric
from dlx.metrics._averaged import check_binary

if TYPE_CHECKING:
    import torchmetrics


class AveragePrecision(Metric):
    """The area under the curve of precision over recall, one class against the rest.

    Chance is the share of the class, so that it says more than auroc where the class is rare. For two classes, `binary`
    is what is usually meant.

    Shapes:  probabilities (B, K) and indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Raises:  ShapeError if `average: binary` meets more than two classes.
    Source:  torchmetrics AveragePrecision.

    Example:
        average_precision
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["average_precision"] = "average_precision"
    average: Literal["macro", "weighted", "binary"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its samples; `binary`: the last of two classes
    alone, the one that is looked for (`yes` of no/yes, `1` of 0/1)."""
    thresholds: int | None = Field(None, ge=2)
    """Number of equally spaced thresholds that approximate the curve in constant memory; null keeps every score."""

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

        from dlx.metrics._positive_torch import of_positive

        self.validate_target(facts)
        if self.average == "binary":
            return of_positive(BinaryAveragePrecision(thresholds=self.thresholds))
        made = MultilabelAveragePrecision if facts.kind == "labels" else MulticlassAveragePrecision
        return made(len(facts.classes), average=self.average, thresholds=self.thresholds)
