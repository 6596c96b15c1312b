"""Figures of every task are drawn after each epoch and at the end, and cost no run its result."""

import pytest
from kit import example, quiet
from task_plans import planned

from dlx.component import types
from dlx.engine.runs.run import train
from dlx.engine.training import figure_callback
from dlx.recipe.load import LoadedRecipe

FAST = ("forecasting", "regression")
"""Tasks that are tried in the default suite."""


def trained(name, folder):
    train_section = {"epochs": 2, "figures_every_n_epochs": 1, "limit_train_samples": 48, "limit_test_samples": 16}
    plan = planned(example("tasks", name), folder, train={**train_section, "batch_size": 16})
    return train(plan, LoadedRecipe(plan.resolved, folder), quiet(), root=folder / "runs")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in types("tasks")])
def test_a_task_draws_its_figures_after_each_epoch(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = trained(name, tmp_path)
    assert run.status == "FINISHED" and run.metrics
    assert not [note for note in run.notes if "figures" in note or "drawn" in note]
    steps = {path.name for path in (run.folder / "figures").rglob("step-*.png")}
    assert len(steps) in (0, 2)  # of tasks that draw while they train


def test_a_figure_that_cannot_be_drawn_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fails(*_):
        raise AssertionError("no picture")

    monkeypatch.setattr(figure_callback, "prepare_figures", fails)
    monkeypatch.setattr("dlx.engine.training.figures.prepare_figures", fails)
    run = trained("regression", tmp_path)
    assert run.status == "FINISHED" and run.metrics["test/loss"] >= 0
    assert [note for note in run.notes if "AssertionError: no picture" in note]
