from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class TopKAccuracy(Metric):
    """Top-k accuracy: the fraction of samples whose right class is among the k most probable ones.

    For many classes that are easily confused; k = 1 is accuracy.

    Shapes:  probabilities (B, K) and class indices (B,).
    Units:   a fraction.
    Raises:  ShapeError if there are fewer classes than k.
    Source:  torchmetrics MulticlassAccuracy.

    Example:
        {top_k_accuracy: 5}
    """

    primary: ClassVar[str] = "k"
    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["top_k_accuracy"] = "top_k_accuracy"
    k: int = Field(5, gt=0)
    """How many of the most probable classes may hold the right one."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.k > len(facts.classes):
            raise ShapeError(f"top_k_accuracy: k is {self.k}, but there are only {len(facts.classes)} classes")

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAccuracy

        return MulticlassAccuracy(len(facts.classes), top_k=self.k, average="micro")
