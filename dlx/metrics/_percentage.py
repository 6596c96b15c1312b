"""Metrics of errors relative to the target. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from dlx.facts import DataFacts
from dlx.metrics._regression import RegressionMetric, target_columns, target_stats
from dlx.rules import CheckContext, Problem, Rule, Severity

if TYPE_CHECKING:
    import torchmetrics


class TargetNearZero(Rule):
    """A metric of relative errors meets targets around zero.

    mape divides an error by the target itself, smape by the mean size of target and prediction: for a target of zero
    the first has no bound, and the second is 2 whatever is predicted.

    Why:      a few such targets decide the metric, and those below zero count as if they were above.
    Instead:  use mae or rmse, which are in units of the target; for series mase.
    Wrong:
        task: {type: regression, metrics: [mape]}
        data: {source: sine}
    Right:
        task: {type: regression, metrics: [mae]}
        data: {source: sine}
    """

    code: ClassVar[str] = "DLX507"
    severity: ClassVar[Severity] = "warning"


class PercentageErrorMetric(RegressionMetric):
    """A metric of errors relative to the size of the target."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        stats = target_stats(context.facts) if context.facts.target == "target" else None
        columns = zip(stats.low, stats.high, strict=True) if stats is not None else ()
        for k, (low, high) in enumerate(columns):
            if low <= 0 <= high:
                name = target_columns(context.facts)[k]
                message = f"{self.type} divides by the target, but {name} goes from {low:g} to {high:g} through zero"
                yield TargetNearZero.at(message)

    def by_magnitude(self, metric: torchmetrics.Metric, facts: DataFacts) -> torchmetrics.Metric:
        """Return the metric in units of the greatest target, so that what is taken for zero depends on no unit."""
        stats = target_stats(facts)
        magnitudes = [max(abs(low), abs(high)) or 1.0 for low, high in zip(stats.low, stats.high, strict=True)]
        return self.by_target(metric, facts, scale=magnitudes)
