from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class TopK(Metric):
    """The fraction of samples whose right class is among the k most probable ones.

    For many classes that are easily mistaken for each other; k = 1 is accuracy.

    Shapes:  probabilities (B, K) and indices (B,).
    Units:   a fraction.
    Raises:  ShapeError if there are fewer classes than k.
    Source:  torchmetrics MulticlassAccuracy.

    Example:
        {top_k: 5}
    """

    primary: ClassVar[str] = "k"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["top_k"] = "top_k"
    k: int = Field(5, gt=0)
    """How many answers are allowed."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.k > len(facts.classes):
            raise ShapeError(f"top_k: the {self.k} most probable of only {len(facts.classes)} classes")

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAccuracy

        return MulticlassAccuracy(len(facts.classes), top_k=self.k, average="micro")
