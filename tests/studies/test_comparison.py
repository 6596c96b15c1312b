"""Comparisons as a person runs them: pairs of trainings, what can be told apart, and what is trained again."""

import json
import shutil
from pathlib import Path

import pytest
from kit import quiet
from scipy import stats

import dlx
from dlx.errors import RecipeError, UsageError
from dlx.studies.comparison import claim_holds
from dlx.studies.statistics import Interval
from dlx.studies.sweep import sweep_status

RECIPE = """
name: digits
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: linear
optimizer: {adamw: {lr: 0.003}}
train: {epochs: 2}
hardware: {num_threads: 1}
compare:
  variants:
    slow: {optimizer: {adamw: {lr: 1.0e-5}}}
    same: {name: digits-again}
  seeds: 3
expect: {compare/slow: "< 0", compare/same: "> 0"}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


def test_variants_are_told_apart_in_pairs(folder):
    report = dlx.compare("r.yaml", console=quiet())
    base, slow, same = (report.variants[name] for name in ("base", "slow", "same"))
    assert report.metric == "test/accuracy"
    assert len(set(base.values)) > 1  # seeds differ
    expected = stats.ttest_rel(slow.values, base.values)
    interval = expected.confidence_interval(0.95)
    assert slow.difference.p == pytest.approx(expected.pvalue)
    assert (slow.difference.interval.low, slow.difference.interval.high) == pytest.approx((interval.low, interval.high))
    assert slow.apart
    assert report.sentence("slow") == "worse than base"
    assert same.values == base.values  # the same split, order and start by seed
    assert not same.apart
    assert report.sentence("same") == "not told apart"
    assert {c.metric: (c.claim, c.held) for c in report.claims} == {
        "compare/slow": ("< 0", True),
        "compare/same": ("> 0", False),
    }
    assert {path.name for path in (report.folder / "figures").glob("*")} == {"variants.png", "differences.png"}


def test_a_seed_is_the_recipe_with_that_seed(folder):
    report = dlx.compare("r.yaml", console=quiet())
    (folder / "one.yaml").write_text(RECIPE.partition("compare:")[0])
    alone = dlx.train("one.yaml", {"seed": 2, "optimizer.adamw.lr": 1e-5, "train.figures": False}, console=quiet())
    assert report.variants["slow"].values[2] == alone.metrics["test/accuracy"]


def test_only_what_is_missing_is_trained(folder):
    first = dlx.compare("r.yaml", console=quiet())
    shutil.rmtree(first.folder / "slow-1")
    times = {path.parent.name: path.stat().st_mtime_ns for path in first.folder.glob("*/run.json")}
    again = dlx.compare("r.yaml", console=quiet())
    assert again.folder == first.folder
    assert again.variants == first.variants
    changed = {
        p.parent.name for p in first.folder.glob("*/run.json") if times.get(p.parent.name) != p.stat().st_mtime_ns
    }
    assert changed == {"slow-1"}
    other = dlx.compare("r.yaml", {"train.epochs": 1}, console=quiet())
    assert other.folder != first.folder


def test_folds_are_compared(folder):
    overrides = {"data.split": {"folds": 3}, "compare.seeds": None, "compare.folds": "all", "expect": {}}
    report = dlx.compare("r.yaml", overrides, console=quiet())
    assert report.metric == "val/accuracy"
    assert len(report.variants["base"].values) == 3
    records = [json.loads((report.folder / f"base-{k}" / "run.json").read_text()) for k in range(3)]
    assert [r["metrics"]["val/accuracy"] for r in records] == report.variants["base"].values


def test_variants_are_checked_before_the_first_training(folder):
    wrong = RECIPE.replace("lr: 1.0e-5", "lr: -1.0").replace("same: {name: digits-again}", "same: {model: {mlpp: {}}}")
    (folder / "wrong.yaml").write_text(wrong.replace("compare/same", "compare/nobody"))
    with pytest.raises(RecipeError) as error:
        dlx.compare("wrong.yaml", console=quiet())
    lines = sorted(d.line for d in error.value.diagnostics)
    assert lines == [11, 12, 14]
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("claim", "low", "high", "held"),
    [("> 0", 0.01, 0.02, True), ("> 0", -0.01, 0.02, False), ("< 0", -0.02, -0.01, True), ([-1, 1], -0.5, 0.5, True)],
)
def test_a_claim_is_about_the_whole_interval(claim, low, high, held):
    assert claim_holds(claim, Interval((low + high) / 2, low, high)) is held


def test_a_comparison_is_no_search_and_goes_on_by_its_own_recipe(folder):
    report = dlx.compare("r.yaml", console=quiet())
    with pytest.raises(UsageError, match=r"compares and does not search: dlx compare \S+study\.yaml"):
        sweep_status(report.folder.name, Path("runs"))
    assert dlx.compare(report.folder / "study.yaml", console=quiet()).folder.resolve() == report.folder.resolve()
