"""Metrics of each class: averaged, or of the positive class alone. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem, Rule, Severity

if TYPE_CHECKING:
    import torchmetrics

BINARY = "binary"


class PositiveClass(Rule):
    """A binary metric takes the last of two classes for the positive one.

    Classes stand in the order of the alphabet, so that the last is `yes` of no and yes, but `legit` of fraud and legit.

    Why:      the metric of the other class may be far from it, above all where one of them is rare.
    Instead:  name the class that you look for.
    Wrong:
        task: {type: classification, metrics: [{type: f1, average: binary}]}
        data: {source: moons}
    Right:
        task: {type: classification, metrics: [{type: f1, positive: upper}]}
        data: {source: moons}
    """

    code: ClassVar[str] = "DLX508"
    severity: ClassVar[Severity] = "warning"


class ClassMetric(Metric):
    """A metric of each class or label, which is averaged over them or taken of the positive class alone."""

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes", "labels")
    average: Literal["macro", "weighted", "binary"] = "macro"
    """`macro`: every class counts the same; `weighted`: every class by its number of samples; `binary`: the positive
    class alone."""
    positive: str | None = None
    """The positive class, against all others; with it `average` is `binary`. Null takes the last of two classes, in the
    order of the alphabet (`yes` of no/yes, `1` of 0/1)."""

    @model_validator(mode="before")
    @classmethod
    def _check_positive(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("positive") is None:
            return fields
        if fields.get("average", BINARY) != BINARY:
            raise ValueError("`positive` names the class of `average: binary`: leave `average` out")
        return {**fields, "average": BINARY}

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        self.positive_index(facts)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        yield from self._problems(context.recipe.task.target_facts(self, context.facts))

    def _problems(self, facts: DataFacts | None) -> Iterator[Problem]:
        if facts is None or self.average != BINARY or self.positive is not None or len(facts.classes) != 2:
            return
        first, last = facts.classes
        message = f"{self.type} is that of {last}, the last of two classes; `positive: {first}` takes the other"
        yield PositiveClass.at(message)

    def positive_index(self, facts: DataFacts) -> int | None:
        """Return the index of the positive class, None where the metric is averaged. Raises: ShapeError."""
        if self.average != BINARY:
            return None
        if self.positive is not None:
            return facts.class_index(self.positive)
        if facts.kind != "classes" or len(facts.classes) != 2:
            what = "labels" if facts.kind == "labels" else f"{len(facts.classes)} classes"
            advice = "name one by `positive`, or use macro"
            raise ShapeError(f"{self.type}: `average: binary` is for two classes, but there are {what}: {advice}")
        return 1


class CountBasedMetric(ClassMetric):
    """A metric of true and false positives and negatives; a class for which it is not defined counts in no mean."""

    average: Literal["macro", "micro", "weighted", "binary"] = "macro"  # type: ignore[assignment]
    """`macro`: every class counts the same; `weighted`: every class by its number of samples; `micro`: every sample
    counts the same; `binary`: the positive class alone."""

    def from_counts(self, weights: tuple[int, int, int], facts: DataFacts) -> torchmetrics.Metric:
        """Return the metric a TP / (a TP + b FP + c FN) with weights (a, b, c)."""
        from dlx.metrics._per_class_torch import CountMetric

        labels, positive = facts.kind == "labels", self.positive_index(facts)
        return CountMetric(weights, len(facts.classes), labels, self.average, positive)
