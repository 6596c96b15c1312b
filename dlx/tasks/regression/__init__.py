from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.baselines import BaselineProblem
from dlx.component import Named
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, UnfitData
from dlx.tasks._supervised.spec import SupervisedTask

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Regression(SupervisedTask):
    """Regression: predicts one number or several.

    Shapes:  input → (K,) for K target columns.

    Example:
        {type: regression, loss: huber, metrics: [mae, r2]}
    """

    type: Literal["regression"] = "regression"
    target_kind: ClassVar[str | None] = "regression"
    loss: Loss = Field("mse", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes."""
    metrics: Named[Metric] = Field({"mse": {}, "mae": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test, in the units of the target."""
    standardize: bool = True
    """Whether the target is standardized for the network, to mean 0 and standard deviation 1; the loss is in these
    units, metrics are not."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if context.facts.fields["target"].axes == "TF":
            yield UnfitData.at("regression gives numbers, but the target is steps of a series: use forecasting")

    def baseline_problem(self, facts: DataFacts) -> BaselineProblem | None:
        return BaselineProblem("regression", facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.regression.module import RegressionModule

        return RegressionModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.regression.figures import draw

        return dict(draw(outputs, facts))
