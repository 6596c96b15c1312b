"""Every baseline predicts in the form that metrics take, and better than nothing where there is something to learn."""

import numpy as np
import pytest
from kit import example

from dlx.baselines import Baseline, BaselineProblem, BaselineSplit
from dlx.component import types
from dlx.facts import DataFacts
from dlx.tensors import TensorSpec

TYPES = types("baselines")
RANDOM = np.random.default_rng(0)
N, F, T = 120, 6, 3


def splits(inputs, target, steps=None):
    train, test = slice(0, 80), slice(80, None)
    return [BaselineSplit({k: v[s] for k, v in inputs.items()}, target[s], None if steps is None else steps[s])
           for s in (train, test)]  # fmt: skip


def facts(spec, name="x", classes=(), season=1):
    return DataFacts({name: spec}, (name,), "target", tuple(classes), season=season)


def problems():
    """Yield problems of every kind, each with a train and a test split and what it would be to answer blindly."""
    table, codes = TensorSpec((F,), "F"), TensorSpec((None,), "T", "int64", vocab=(9,))
    x = RANDOM.normal(size=(N, F)).astype(np.float32)
    classes = np.where(x[:, 0] > 0, 2, 0)  # of a third class there is no sample
    names = ("a", "b", "c")
    texts = [np.array([1 + 2 * (c > 0), 5, 6]) for c in classes]
    yield BaselineProblem("classes", facts(table, classes=names)), splits({"x": x}, classes)
    yield BaselineProblem("classes", facts(codes, classes=names)), splits({"x": texts}, classes)
    labels = np.stack([classes > 0, x[:, 1] > 0, np.ones(N)], 1).astype(np.float32)
    yield BaselineProblem("labels", facts(table, classes=names)), splits({"x": x}, labels)
    numbers = (x @ RANDOM.normal(size=(F, 2))).astype(np.float32)
    yield BaselineProblem("regression", facts(table)), splits({"x": x}, numbers)
    wave = np.sin(np.arange(N + 20) * np.pi / 2)
    history, ahead = (np.stack([wave[i + a : i + b, None] for i in range(N)]) for a, b in ((0, 8), (8, 8 + T)))
    spec = TensorSpec((8, 1), "TF")
    yield BaselineProblem("forecast", facts(spec, season=4)), splits({"x": history}, ahead, np.arange(8, N + 8))
    low = (RANDOM.normal(size=(N, 2)) @ RANDOM.normal(size=(2, F))).astype(np.float32)
    noisy = low + RANDOM.normal(size=low.shape).astype(np.float32) * 0.1
    yield BaselineProblem("reconstruction", facts(table), latent_dim=2), splits({"x": low}, low)
    yield BaselineProblem("denoising", facts(table), latent_dim=2), splits({"x": noisy}, low)


def blind(problem, train, test):
    if problem.kind == "classes":
        return np.tile(np.bincount(train.target, minlength=3) / len(train.target), (len(test.target), 1))
    return np.broadcast_to(train.target.mean(0), test.target.shape)


def error(problem, predicted, target):
    if problem.kind == "classes":
        return np.mean(predicted.argmax(1) != target)
    return np.mean((predicted - target) ** 2)


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    leaf = Baseline.model_validate(example("baselines", name))
    assert leaf.type == name
    assert Baseline.model_validate(leaf.model_dump(mode="json")) == leaf


@pytest.mark.parametrize("name", TYPES)
def test_it_answers_every_problem_that_it_fits(name):
    leaf, asked = Baseline.model_validate(name), 0
    for problem, (train, test) in problems():
        if not leaf.fits(problem):
            continue
        asked += 1
        found = leaf.fit_predict(train, test, problem)
        assert np.isfinite(found).all()
        if problem.kind in ("classes", "labels"):
            assert found.shape == (40, 3) and found.min() >= 0 and found.max() <= 1
        else:
            assert found.shape == test.target.shape
        if problem.kind == "classes":
            assert np.allclose(found.sum(1), 1) and (found[:, 1] == 0).all()
        least = error(problem, blind(problem, train, test), test.target)
        is_blind = name in ("majority", "mean")
        assert error(problem, found, test.target) <= (least if is_blind else 0.7 * least), problem.kind
    assert asked


def test_every_kind_of_problem_has_a_baseline():
    leaves = [Baseline.model_validate(name) for name in TYPES]
    assert all(any(leaf.fits(problem) for leaf in leaves) for problem, _ in problems())
