from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from dlx.component import leaf_class, types
from dlx.monitors import UnknownMonitor, check_direction, no_such_metric
from dlx.regularizers import Regularizer
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    import pytorch_lightning as pl


class NotOfVal(Rule):
    """A monitor is a metric of another split than val.

    What stops training early is measured on val after each validation.

    Why:      test is measured once, at the end; a choice made by it would no longer be tested by anything.
    Instead:  write the metric of val.
    Wrong:    regularize: {early_stopping: {monitor: test/loss}}
    Right:    regularize: {early_stopping: {monitor: val/loss}}
    """

    code: ClassVar[str] = "DLX405"


class EarlyStopping(Regularizer):
    """Early stopping: ends training when a metric has not improved for some validations.

    The number of steps bounds how far the weights move from their initialization, which regularizes much as L2 does.
    The best checkpoint, not the last, is the result of the run.

    Units:   patience counts evaluations on val; min_delta is in the metric's units.
    Raises:  ValueError if mode is auto and the metric is not one whose direction is known.
    Source:  Prechelt 1998, doi:10.1007/3-540-49430-8_3; pytorch_lightning's EarlyStopping.

    Example:
        {early_stopping: {patience: 5, monitor: val/loss}}
    """

    primary: ClassVar[str] = "patience"
    type: Literal["early_stopping"] = "early_stopping"
    patience: int = Field(5, ge=1)
    """Number of validations without improvement after which training stops."""
    monitor: str = Field("val/loss", pattern=r"^[a-z_]+/.+$")
    """The monitored metric."""
    min_delta: float = Field(0.0, ge=0)
    """Smallest change that counts as an improvement."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether a smaller or a larger value is better; `auto` knows it for losses and for dlx's metrics."""

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        self.monitor_mode()
        return self

    def monitor_mode(self) -> Literal["min", "max"]:
        """Return which direction is an improvement. Raises: ValueError if it is not known."""
        if self.mode != "auto":
            return self.mode
        name = self.monitor.rpartition("/")[2]
        if name in types("metrics"):
            return "max" if cast(Any, leaf_class("metrics", name)).higher_is_better else "min"
        if name == "loss" or name.endswith("_loss"):
            return "min"
        raise ValueError(f"whether more or less of {self.monitor} is better is not known; say mode: min or mode: max")

    def resolve_auto(self) -> Self:
        return self.evolve("mode", self.monitor_mode())

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        known = [name for name in context.metric_names if name.startswith("val/")]
        if self.monitor not in context.metric_names:
            yield UnknownMonitor.at(no_such_metric(self.monitor, known or context.metric_names), "monitor")
        elif self.monitor not in known:
            yield NotOfVal.at(f"{self.monitor} is no metric of val; there are {', '.join(known)}", "monitor")
        yield from check_direction(self.type, self.monitor, self.monitor_mode(), context)

    def callback(self) -> pl.Callback:
        from pytorch_lightning.callbacks import EarlyStopping as Stopper

        return Stopper(self.monitor, min_delta=self.min_delta, patience=self.patience, mode=self.monitor_mode())
