"""One trial as a run: begun or gone on with, until a rung or its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What came of training a trial: the metric that is searched for, and all metrics if it is finished."""

    value: float
    metrics: dict[str, float]
    paused: bool
