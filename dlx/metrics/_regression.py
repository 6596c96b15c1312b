"""Regression metrics: what they share. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric
from dlx.nearest import nearest
from dlx.tensors import Stats

if TYPE_CHECKING:
    import torchmetrics


class RegressionMetric(Metric):
    """A metric of values, which accumulates in float64."""

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    target: str | None = None
    """The one target, of several, that is measured; null takes the mean over all."""

    def validate_target(self, facts: DataFacts) -> None:
        super().validate_target(facts)
        self.column(facts)

    def column(self, facts: DataFacts) -> int | None:
        """Return the index of the one target that is measured, None for all. Raises: ShapeError if it is not there."""
        names = target_columns(facts)
        if self.target is not None and self.target not in names:
            near = nearest(self.target, names) or names
            raise ShapeError(f"there is no target '{self.target}'; there is {', '.join(near)}", ("target",))
        return None if self.target is None else names.index(self.target)

    def by_target(
        self, metric: torchmetrics.Metric, facts: DataFacts, shift: Sequence[float] = (), scale: Sequence[float] = ()
    ) -> torchmetrics.Metric:
        """Return a metric of (value − shift) / scale in float64, with one shift and scale for each target column."""
        from dlx.metrics._regression_torch import Float64Metric

        columns = len(target_columns(facts))
        zeros, ones = [0.0] * columns, [1.0] * columns
        return Float64Metric(metric, shift or zeros, scale or ones, self.column(facts))


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
