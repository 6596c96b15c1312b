from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class Accuracy(Metric):
    """Accuracy: the fraction of samples whose predicted class is the true one.

    On classes, the most probable class is the answer; on labels, each label is an answer of its own, yes above 0.5.

    Shapes:  probabilities (B, K) and class indices (B,), or probabilities (B, K) and 0/1 (B, K).
    Units:   a fraction, micro-averaged: every answer counts the same.
    Source:  torchmetrics MulticlassAccuracy and MultilabelAccuracy.

    Example:
        accuracy
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    type: Literal["accuracy"] = "accuracy"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy

        if facts.kind == "labels":
            return MultilabelAccuracy(len(facts.classes), average="micro")
        return MulticlassAccuracy(len(facts.classes), average="micro")
