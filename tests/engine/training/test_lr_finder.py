"""The learning-rate finder proposes a rate that learns, and training then uses it."""

import pytest

import dlx.plan
from dlx.engine.training.lr_finder import find_lr, with_lr
from dlx.recipe.load import load


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    recipe = tmp_path_factory.mktemp("find") / "recipe.yaml"
    recipe.write_text("task: classification\ndata: {source: {sklearn: digits}}\nmodel: {mlp: [32]}\n")
    return dlx.plan.make(load(recipe))


def test_it_lies_where_adam_learns_and_is_the_same_every_time(plan):
    rate = find_lr(plan)
    assert 1e-5 < rate < 0.1
    assert find_lr(plan) == rate


def test_the_found_rate_is_that_of_the_run_and_of_its_record(plan):
    changed = with_lr(plan, 0.0123)
    assert changed.recipe.optimizer["*"].lr == 0.0123
    assert changed.resolved.canonical()["optimizer"]["lr"] == 0.0123
