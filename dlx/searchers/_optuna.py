"""Optuna's samplers as pure functions of the seed, the trial's number and the finished trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlx.optuna_trials import finished_trial, suggest
from dlx.search_space import Scalar, SearchSpace
from dlx.searchers import History, trial_seed

MakeSampler = Callable[[int], Any]
"""Makes one of Optuna's samplers from a seed."""


class OptunaSampler:
    """Asks one of Optuna's samplers, which gets a seed of its own for every trial: its state is never needed again.

    Optuna's study is in memory and is told of finished trials in the order of their numbers; as long as no earlier
    number is added, it is kept from one proposal to the next.
    """

    def __init__(self, make: MakeSampler, space: SearchSpace, seed: int, maximize: bool) -> None:
        self.make, self.space, self.seed = make, space, seed
        self.direction = "maximize" if maximize else "minimize"
        self._study: Any = None
        self._told: list[int] = []

    def propose(self, number: int, history: History) -> dict[str, Scalar]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = self._add_finished_trials(optuna, history)
        study.sampler = self.make(trial_seed(self.seed, number))
        trial = study.ask()
        point = self.space.draw(lambda name, domain: suggest(trial, name, domain))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)  # it is told as finished once it is
        return point

    def _add_finished_trials(self, optuna: Any, history: History) -> Any:
        numbers = sorted(history)
        if self._study is None or self._told != numbers[: len(self._told)]:
            self._study, self._told = optuna.create_study(direction=self.direction), []
        for number in numbers[len(self._told) :]:
            params, value = history[number]
            self._study.add_trial(finished_trial(optuna, self.space, params, value))
            self._told.append(number)
        return self._study
