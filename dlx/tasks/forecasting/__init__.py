from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.baselines import BaselineProblem
from dlx.component import Named
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.losses import Loss, UnfitLoss
from dlx.metrics import Metric
from dlx.models import Model
from dlx.rules import CheckContext, Problem, Rule
from dlx.tasks import Learning, UnfitData
from dlx.tasks._supervised.predictions import regression_table
from dlx.tasks._supervised.spec import SupervisedTask
from dlx.tasks.forecasting._baselines import baselines

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


SCALED = ("history", "future")
"""Input fields that the task scales by the statistics of the train split."""


class ScaledTwice(Rule):
    """A transform scales what the task itself scales.

    Forecasting standardizes each column of the series, and gives forecasts and errors in the series' own units.

    Why:      the task would take the scaled numbers for the series, and errors would be in no unit.
    Instead:  leave the transform out.
    """

    code: ClassVar[str] = "DLX454"


class Forecasting(SupervisedTask):
    """Forecasting: predicts the next values of a time series, at every step of the horizon at once.

    Beside each metric is the same of two naive forecasts, which learn nothing: `<metric>.naive` repeats the last value,
    `<metric>.seasonal_naive` (where the series has a season) the value one season before. The network sees the series
    in units of `scaling` and predicts in them; metrics are in the series' own.

    Shapes:  history (steps, columns), or a record of it and of the future (horizon, known) → (horizon · targets,), for
             each quantile of the loss.
    Source:  windows scaled by themselves: Kim et al. 2022 (reversible instance normalization, without its affine
             map); Hyndman & Athanasopoulos 2021, Forecasting: Principles and Practice, for the naive forecasts.

    Example:
        {type: forecasting, loss: {quantile: [0.1, 0.5, 0.9]}, metrics: [mase, smape]}
    """

    type: Literal["forecasting"] = "forecasting"
    target_kind: ClassVar[str | None] = "regression"
    loss: Loss = Field("mae", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes, in units of `scaling`."""
    metrics: Named[Metric] = Field({"mase": {}, "smape": {}, "rmse": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test, in the units of the target."""
    scaling: Literal["window", "series"] = "window"
    """By which mean and standard deviation values are scaled: those of each window's own history, so that the network
    can follow a series to where it has never been; or those of the train split, so that it knows the level."""

    @property
    def accepts_soft_targets(self) -> bool:
        return False

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        target = facts.fields["target"]
        own = model.forecast_head(target, self.loss.out_features(facts) // target.elements)
        if own is None or self.head != "auto":
            return super().network(role, model, facts)
        body = model.tree(self.roles(facts)[role].input).evolve("name", "body")
        return Layer.model_validate([body, {"type": "sequential", "name": "head", "layers": own}])

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        pairs = [(f"{key}.{who}", metric) for key, metric in self.metrics.items() for who in baselines(facts)]
        others = {name: metric.direction for key, metric in pairs for name in metric.names(key, facts)}
        return super().metric_names(facts) | others

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        facts = context.facts
        if facts.fields["target"].axes != "TF" or "history" not in facts.inputs:
            yield UnfitData.at("forecasting needs windows of a series, as the source `series` makes them")
            return
        if not self.loss.allows_standardization:
            yield UnfitLoss.at(f"{self.loss.type} needs the target's own scale, but it is scaled here", "loss")
        names = [transform.field or facts.inputs[0] for transform in context.recipe.data.transforms]  # type: ignore[union-attr]
        for i in (i for i, name in enumerate(names) if name in SCALED):
            message = f"{self.type} scales {names[i]} itself: leave the transform out"
            yield ScaledTwice.at_root(message, "data", "transforms", i)

    def baseline_problem(self, facts: DataFacts) -> BaselineProblem | None:
        return BaselineProblem("forecast", facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.forecasting.module import ForecastingModule

        return ForecastingModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the value of each step of the horizon, with quantiles and interval where the loss makes them."""
        steps, columns = facts.fields["target"].dims
        names = facts.fields["target"].names or tuple(f"target_{k + 1}" for k in range(columns or 0))
        titles = [f"{name}+{step + 1}" for step in range(steps or 0) for name in names]
        return regression_table(values, titles, self.loss)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.forecasting.figures import draw

        return dict(draw(outputs, facts))
