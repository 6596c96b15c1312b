"""Regression metrics: what they share. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric
from dlx.tensors import Stats

if TYPE_CHECKING:
    import torchmetrics


class RegressionMetric(Metric):
    """A metric of values, which accumulates in float64."""

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    multioutput: Literal["uniform_average", "raw_values"] = "uniform_average"
    """`uniform_average`: one number, the mean over all targets; `raw_values`: a number for each target, logged as
    `<metric>.<target>`."""

    def names(self, key: str, facts: DataFacts) -> list[str]:
        if self.multioutput == "uniform_average":
            return [key]
        return [f"{key}.{name}" for name in target_columns(facts)]

    def by_target(
        self, metric: torchmetrics.Metric, facts: DataFacts, shift: Sequence[float] = (), scale: Sequence[float] = ()
    ) -> torchmetrics.Metric:
        """Return a metric of (value − shift) / scale in float64, with one shift and scale for each target column."""
        from dlx.metrics._regression_torch import Float64Metric

        columns = len(target_columns(facts))
        zeros, ones = [0.0] * columns, [1.0] * columns
        return Float64Metric(metric, shift or zeros, scale or ones, self.multioutput == "raw_values")


class ErrorMetric(RegressionMetric):
    """A metric of errors in units of the target, or of its standard deviation."""

    standardized: bool = False
    """Whether errors are in units of the target's standard deviation over the train split, column by column."""

    def by_target(
        self, metric: torchmetrics.Metric, facts: DataFacts, shift: Sequence[float] = (), scale: Sequence[float] = ()
    ) -> torchmetrics.Metric:
        std = [s or 1.0 for s in target_stats(facts).std] if self.standardized else ()
        return super().by_target(metric, facts, shift, scale or std)


def target_columns(facts: DataFacts) -> tuple[str, ...]:
    """Return the name of each target: of each column, where the target is several steps of a series."""
    spec = facts.fields["target"]
    columns = spec.dims[-1] or 1 if spec.dims else 1
    return spec.names if len(spec.names) == columns else tuple(str(k + 1) for k in range(columns))


def target_stats(facts: DataFacts) -> Stats:
    """Return the statistics of the target on the train split; empty ones where there are none."""
    return facts.fields["target"].stats or Stats()
