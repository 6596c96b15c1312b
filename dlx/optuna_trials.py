"""Search spaces and finished trials in Optuna's terms."""

from __future__ import annotations

from typing import Any

from dlx.search_space import Choice, Domain, Scalar, SearchSpace


def finished_trial(optuna: Any, space: SearchSpace, params: Any, value: float) -> Any:
    """Return a trial as Optuna has those that are finished; options are numbers to it."""
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


def suggest(trial: Any, name: str, domain: Domain) -> Scalar:
    """Return what Optuna suggests for a domain."""
    if isinstance(domain, Choice):
        return domain.names[int(trial.suggest_categorical(name, range(len(domain.names))))]
    if domain.integer:
        return int(trial.suggest_int(name, domain.low, domain.high, log=domain.log, step=domain.step or 1))
    return float(trial.suggest_float(name, domain.low, domain.high, log=domain.log, step=domain.step))
