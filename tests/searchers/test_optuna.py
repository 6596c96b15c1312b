"""Searchers against optuna."""

import pytest

from dlx.search_space import SearchSpace, read_domain
from dlx.searchers import Searcher


def test_tpe_is_optunas():
    optuna = pytest.importorskip("optuna")
    from dlx.searchers import trial_seed

    spec = Searcher.model_validate({"tpe": {"trials": 20}})
    space = SearchSpace(
        {"x": read_domain({"uniform": [-5, 5]}), "k": read_domain({"int": [1, 9]}), "c": read_domain(["a", "b"])}
    )
    sampler, history = spec.build(space, 7, maximize=False), {}
    study = optuna.create_study()
    for number in range(20):
        study.sampler = optuna.samplers.TPESampler(seed=trial_seed(7, number), multivariate=True, group=True)
        trial = study.ask()
        expected = {
            "x": trial.suggest_float("x", -5, 5),
            "k": trial.suggest_int("k", 1, 9),
            "c": "ab"[trial.suggest_categorical("c", [0, 1])],
        }
        point = sampler.propose(number, history)
        assert point == expected
        value = (point["x"] - 2) ** 2 + point["k"]
        study.tell(trial, value)
        history[number] = point, value
