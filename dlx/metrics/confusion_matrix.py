from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class ConfusionMatrix(Metric):
    """Confusion matrix: how often each class was predicted as each class; it is drawn and not logged.

    Rows are the true classes, columns the predicted ones. On labels, one 2 × 2 matrix a label.

    Shapes:  probabilities (B, K) and class indices (B,) → (K, K); labels → (K, 2, 2).
    Units:   samples, or fractions where normalized.
    Source:  torchmetrics ConfusionMatrix.

    Example:
        {type: confusion_matrix, normalize: "true"}
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["confusion_matrix"] = "confusion_matrix"
    normalize: Literal["true", "pred", "all"] | None = None
    """Whether rows (true), columns (pred) or the whole matrix sum to one; null leaves counts."""

    def names(self, key: str, facts: DataFacts) -> list[str]:
        return []

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassConfusionMatrix, MultilabelConfusionMatrix

        if facts.kind == "labels":
            return MultilabelConfusionMatrix(len(facts.classes), normalize=self.normalize)
        return MulticlassConfusionMatrix(len(facts.classes), normalize=self.normalize)
