"""Data are read, split and encoded once, however many of a run's parts need them."""

import os

import pytest
from kit import quiet, train

import dlx
from dlx.data import prepare as preparing

RECIPE = """
name: once
task: classification
data: {source: {sklearn: iris}}
model: {mlp: {hidden: [4]}}
train: {epochs: 1, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""
STAGES = "stages: {first: {}, second: {init_from: {stage: first}}}\n"
SWEEP = "sweep: {over: {optimizer.adamw.lr: {log: [0.001, 0.1]}}, search: {random: {trials: 2}}}\n"
COMPARE = "compare: {variants: {wide: {model: {mlp: {hidden: [8]}}}}, folds: all}\n"


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Return the list of preparations, in a folder and with a cache where nothing is known yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "DLX_CACHE", str(tmp_path / "cache"))
    found, prepare = [], preparing.prepare

    def counted(data, *args, **options):
        found.append(data)
        return prepare(data, *args, **options)

    monkeypatch.setattr(preparing, "prepare", counted)
    return found


def test_a_training_prepares_its_data_once(prepared):
    train(RECIPE)
    assert len(prepared) == 1


def test_stages_that_share_their_data_prepare_them_once(prepared):
    train(RECIPE + STAGES)
    assert len(prepared) == 1


def test_trials_of_a_sweep_prepare_their_data_once(prepared, tmp_path):
    (tmp_path / "s.yaml").write_text(RECIPE + SWEEP)
    dlx.sweep("s.yaml", console=quiet())
    assert len(prepared) == 1
    dlx.sweep("s.yaml", console=quiet())  # whose facts are known
    assert len(prepared) == 2


def test_variants_prepare_the_data_of_a_fold_once(prepared, tmp_path):
    (tmp_path / "s.yaml").write_text(RECIPE.replace("iris}}", "iris}, split: {folds: 3}}") + COMPARE)
    dlx.compare("s.yaml", console=quiet())
    folds = [data.split.fold for data in prepared]
    training, predicting = folds[:3], folds[3:]  # predictions out of fold restore each run, and read its data again
    assert training == [1, 2, 3] and sorted(predicting) == [1, 1, 2, 2, 3, 3]
