"""Metrics: what is measured on val and test, not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    import torchmetrics


Aspect = Literal["quality", "coverage", ""]
"""What a metric measures of generated samples: how good they are, or how much of the data's variety they cover."""


class UnfitMetric(Rule):
    """A metric does not fit this target, or not what the task predicts.

    Metrics are for classes, for labels, for numbers, for texts, or for generated samples.

    Why:      the number would have no meaning.
    Instead:  leave it out, or choose one for this target (`dlx list metrics`).
    Wrong:    task: {type: classification, metrics: {rmse: {}}}
    Right:    task: {type: classification, metrics: {f1: {}}}
    """

    code: ClassVar[str] = "DLX453"


class Metric(Component):
    """A number that measures how good predictions are, computed by torchmetrics.

    `build` returns a torchmetrics.Metric that is updated with (prediction, target):
    classes: probabilities (B, K) and class indices (B,); labels: probabilities (B, K) and 0/1 (B, K) int64;
    regression: values (B, K) and (B, K), or (B,) and (B,) for one output.
    """

    family = "metrics"
    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    """Which targets the metric takes: "classes", "labels", "regression", "tokens", or generated "samples"."""
    higher_is_better: ClassVar[bool] = True
    """Whether a greater value is an improvement."""
    aspect: ClassVar[Aspect] = ""
    """What it measures of generated samples, by which runs that generate some are compared."""
    needs_classes: ClassVar[bool] = False
    """Whether it needs the class of each sample of the data, where none is predicted."""

    @property
    def direction(self) -> Literal["higher", "lower"]:
        """Which values are better."""
        return "higher" if self.higher_is_better else "lower"

    @property
    def compares_texts(self) -> bool:
        """Whether it compares whole texts, not each token."""
        return "tokens" in self.target_kinds

    def names(self, key: str, facts: DataFacts) -> list[str]:
        """Return under what names the metric that a task calls `key` is logged: none where it is no number."""
        return [key]

    def validate_target(self, facts: DataFacts) -> None:
        """Raise ShapeError if the metric does not fit the target."""
        if facts.kind not in self.target_kinds:
            kinds = " or ".join(self.target_kinds)
            raise ShapeError(f"{self.type} is a metric for {kinds} targets, but the target is {facts.kind}")

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.recipe.task.target_facts(self, context.facts)
        if facts is not None:
            yield from UnfitMetric.unless(lambda: self.validate_target(facts))

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        """Return the metric for these classes or outputs."""
        raise NotImplementedError
