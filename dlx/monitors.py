"""Monitors: rules for schedules and regularizers that wait for a metric to improve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from dlx.nearest import nearest
from dlx.rules import CheckContext, Problem, Rule

_EXTREME = {"min": "a smaller", "max": "a greater"}


class UnknownMonitor(Rule):
    """A monitor names a metric that this run does not have.

    What stops training early, or chooses the best checkpoint, waits for one of the metrics that the run measures.

    Why:      it would wait for ever, and training would go on as if it were not there.
    Instead:  write a metric that `dlx plan` knows, such as val/loss.
    Wrong:    regularize: {early_stopping: {monitor: val/acuracy, mode: max}}
    Right:    regularize: {early_stopping: {monitor: val/accuracy}}
    """

    code: ClassVar[str] = "DLX402"


class WrongDirection(Rule):
    """A monitor waits for its metric to become worse.

    `mode` says whether a smaller or a greater value is an improvement; the metric itself knows better.

    Why:      training would stop, or the learning rate fall, exactly while the network improves.
    Instead:  write the other mode, or leave it out.
    Wrong:    schedule: {plateau: {mode: max}}
    Right:    schedule: plateau
    """

    code: ClassVar[str] = "DLX403"


def check_direction(who: str, metric: str, mode: str, context: CheckContext) -> Iterator[Problem]:
    """Refuse what waits for its metric to become worse."""
    better = context.metric_mode(metric)
    if better is not None and mode != better:
        message = f"{who} waits for {_EXTREME[mode]} {metric}, but {_EXTREME[better]} one is better"
        yield WrongDirection.at(f"{message}: write mode: {better}", "mode")


def no_such_metric(name: str, known: Sequence[str]) -> str:
    """Return the message for a metric that a run does not have, with the nearest ones that it has."""
    near = nearest(name, known)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
    return f"this run has no metric {name}{hint}"
