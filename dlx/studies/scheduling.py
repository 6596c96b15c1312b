"""Which trial trains next: one whose worker died, one that its rung promotes, or a new one. A function of the journal.

Asynchronous successive halving by promotion, as Li et al. 2020 (arXiv:1810.05934, algorithm 2) have it: a trial that is
among the best share of those that have passed its rung goes on; where there is none, a new trial begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dlx.recipe.schema.study import Sweep
from dlx.search_space import Params
from dlx.searchers import History
from dlx.studies.journal import Trial


@dataclass(frozen=True)
class Job:
    """What a worker does next with a trial: begin it, or go on with it, until an epoch (None: to its end)."""

    number: int
    params: Params
    until: int | None
    begins: bool


@dataclass(frozen=True)
class Scheduler:
    """Decides what is trained next in a sweep.

    limit     trials in all
    propose   the values of a new trial, from its number and the history
    """

    sweep: Sweep
    maximize: bool
    limit: int
    propose: Callable[[int, History], Params]

    def next_job(self, trials: Mapping[int, Trial], is_alive: Callable[[str], bool]) -> Job | None:
        """Return what a free worker should do; None if there is nothing to do now."""
        orphan = next((t for t in trials.values() if t.status == "running" and not is_alive(t.worker or "")), None)
        chosen = orphan or self._trial_to_promote(trials)
        if chosen is not None:
            return Job(chosen.number, chosen.params, self._until(chosen.rungs), begins=False)
        number = len(trials)
        if number >= self.limit:
            return None
        return Job(number, self.propose(number, history_of(trials)), self._until(0), begins=True)

    def _until(self, rungs: int) -> int | None:
        """Return the epoch at which a trial that has passed so many rungs stops; None where it trains to its end."""
        halving = self.sweep.halving
        return halving.rungs[rungs] if halving is not None and rungs < len(halving.rungs) else None

    def _trial_to_promote(self, trials: Mapping[int, Trial]) -> Trial | None:
        """Return a trial that waits and is among the best of its rung, of the highest rung that has one."""
        halving = self.sweep.halving
        if halving is None:
            return None
        for rung in reversed(range(len(halving.rungs))):
            passed = [t for t in trials.values() if rung in t.values]
            ranked = sorted(passed, key=lambda t: (self._cost(t.values[rung]), t.number))
            best = [t for t in ranked[: int(len(ranked) * halving.keep + 1e-9)] if math.isfinite(t.values[rung])]
            waiting = next((t for t in best if t.status == "paused" and t.rungs == rung + 1), None)
            if waiting is not None:
                return waiting
        return None

    def _cost(self, value: float) -> float:
        if math.isnan(value):  # worse than any
            return math.inf
        return -value if self.maximize else value

    def best(self, trials: Mapping[int, Trial]) -> list[Trial]:
        """Return the trials that have a value, the best first: those that came farther before the others."""
        known = [t for t in trials.values() if t.value is not None]
        return sorted(known, key=lambda t: (-t.rungs, self._cost(t.value or 0.0), t.number))


def history_of(trials: Mapping[int, Trial]) -> History:
    """Return what searchers know: the newest value of every trial that does not train now."""
    return {n: (t.params, t.value) for n, t in trials.items() if t.value is not None and math.isfinite(t.value)}
