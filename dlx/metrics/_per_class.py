"""Metrics of each class that are averaged over classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics

    Build = Callable[..., torchmetrics.Metric]


class PerClassMetric(Metric):
    """A metric of each class or label, averaged over them."""

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    average: Literal["macro", "micro", "weighted", "binary"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its number of samples; `micro`: every sample
    counts the same; `binary`: the last of two classes alone, as the positive one (`yes` of no/yes, `1` of 0/1)."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        if self.average == "binary":
            check_binary(self.type, facts)

    def select(
        self,
        facts: DataFacts,
        binary: Build,
        classes: Build,
        labels: Build,
    ) -> torchmetrics.Metric:
        """Return the metric that fits the target. Raises: ShapeError as `validate_target` does."""
        from dlx.metrics._positive_torch import positive_class_metric

        self.validate_target(facts)
        if self.average == "binary":
            return positive_class_metric(binary())
        build = labels if facts.kind == "labels" else classes
        return build(len(facts.classes), average=self.average)


def check_binary(metric: str, facts: DataFacts) -> None:
    """Raise ShapeError if there are not exactly two classes to take the last of."""
    if facts.kind != "classes" or len(facts.classes) != 2:
        what = "labels" if facts.kind == "labels" else f"{len(facts.classes)} classes"
        raise ShapeError(f"{metric}: `average: binary` is for two classes, but there are {what}; use macro")
