"""Optuna's samplers as pure functions of the seed, the trial's number and the finished trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlx.search_space import Choice, Domain, Scalar, SearchSpace
from dlx.searchers import History, seed_of

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
        study = self._updated(optuna, history)
        study.sampler = self.make(seed_of(self.seed, number))
        trial = study.ask()
        point = self.space.draw(lambda name, domain: _suggest(trial, name, domain))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)  # it is told as finished once it is
        return point

    def _updated(self, optuna: Any, history: History) -> Any:
        numbers = sorted(history)
        if self._study is None or self._told != numbers[: len(self._told)]:
            self._study, self._told = optuna.create_study(direction=self.direction), []
        for number in numbers[len(self._told) :]:
            params, value = history[number]
            self._study.add_trial(_finished(optuna, self.space, params, value))
            self._told.append(number)
        return self._study


def _finished(optuna: Any, space: SearchSpace, params: Any, value: float) -> Any:
    domains: dict[str, Domain] = {}

    def choose(name: str, domain: Domain) -> Scalar:
        domains[name] = domain
        return params[name]  # type: ignore[no-any-return]

    space.draw(choose)
    distributions = {name: _distribution(optuna, domain) for name, domain in domains.items()}
    internal = {name: _internal(domain, params[name]) for name, domain in domains.items()}
    return optuna.trial.create_trial(params=internal, distributions=distributions, value=value)


def _distribution(optuna: Any, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return optuna.distributions.CategoricalDistribution(range(len(domain.names)))
    if domain.integer:
        return optuna.distributions.IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step or 1)
    return optuna.distributions.FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def _internal(domain: Domain, value: Scalar) -> Scalar:
    return domain.index(value) if isinstance(domain, Choice) else value


def _suggest(trial: Any, name: str, domain: Domain) -> Scalar:
    if isinstance(domain, Choice):
        return domain.names[int(trial.suggest_categorical(name, range(len(domain.names))))]
    if domain.integer:
        return int(trial.suggest_int(name, domain.low, domain.high, log=domain.log, step=domain.step or 1))
    return float(trial.suggest_float(name, domain.low, domain.high, log=domain.log, step=domain.step))
