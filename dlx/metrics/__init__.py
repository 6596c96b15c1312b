"""Metrics: what is measured, not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    import torchmetrics


Tells = Literal["quality", "coverage", ""]
"""What a metric says of samples that were made: how good they are, how much of the data's variety they have."""


class UnfitMetric(Rule):
    """A metric cannot judge this target, or not what the task makes.

    Metrics are for classes, for labels, for numbers, for texts, or for samples that a network makes.

    Why:      the number would have no meaning.
    Instead:  leave it out, or choose one for this target (`dlx list metrics`).
    Wrong:    task: {type: classification, metrics: {rmse: {}}}
    Right:    task: {type: classification, metrics: {f1: {}}}
    """

    code: ClassVar[str] = "DLX453"


class Metric(Component):
    """A number that says how good predictions are, by torchmetrics.

    `build` makes a torchmetrics.Metric that is updated with (prediction, target):
    classes: probabilities (B, K) and indices (B,); labels: probabilities (B, K) and 0/1 (B, K) int64;
    regression: values (B, K) and (B, K), or (B,) and (B,) for one output.
    """

    family = "metrics"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    """Which targets it can judge: "classes", "labels", "regression"."""
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    """Which direction is an improvement."""
    scalar: ClassVar[bool] = True
    """Whether it is one number; what is not, such as a matrix, is drawn and not logged."""
    tells: ClassVar[Tells] = ""
    """What it says of samples that were made, by which runs that make some are compared."""
    by_class: ClassVar[bool] = False
    """Whether it needs to know the class of each sample where none is predicted."""

    @property
    def compares_texts(self) -> bool:
        """Whether it compares whole texts, not each token."""
        return "tokens" in self.kinds

    def validate_target(self, facts: DataFacts) -> None:
        """Raise ShapeError if the metric cannot judge this target."""
        if facts.kind not in self.kinds:
            raise ShapeError(f"{self.type} judges {' or '.join(self.kinds)}, but the target is {facts.kind}")

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.recipe.task.target_facts(self, context.facts)
        if facts is not None:
            yield from UnfitMetric.unless(lambda: self.validate_target(facts))

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        """Make the metric for these classes or outputs."""
        raise NotImplementedError
