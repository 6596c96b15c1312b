"""Every recipe of the gallery says what it shows, validates, plans, trains, and keeps its claims.

Recipes are found, not listed. One that needs minutes carries the tag `slow`; one whose header holds an indented Python
snippet has its data written by that snippet, as a reader would.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gallery_sample import SECONDS, sample, seconds_by_name
from kit import quiet

import dlx
from dlx.errors import DataError, RecipeError
from dlx.plan.study import plan_study
from dlx.recipe.schema.claims import holds

RECIPES = Path(__file__).parents[1] / "recipes"
FOUND = sorted(RECIPES.rglob("*.yaml"))
LITTLE_WORK, FEW_STEPS = 2e11, 20_000
"""Multiply-adds and steps of training that a recipe without the tag `slow` may take: a few seconds on one core."""


TRAINED = set()
"""Recipes that others need, and whether in two steps."""


def name(path):
    return str(path.relative_to(RECIPES).with_suffix(""))


every_recipe = pytest.mark.parametrize("path", FOUND, ids=name)


def header(path):
    return re.match(r"(?:#.*\n)*", path.read_text())[0]


def is_slow(path):
    try:
        return "slow" in dlx.load(path).recipe.tracking.tags
    except RecipeError:
        return False  # the test of its validity says why


def is_study(path):
    try:
        return dlx.load(path).study is not None
    except RecipeError:
        return False  # the test of its validity says why


def marks(path):
    """A recipe with the tag `gpu` would train for days without one."""
    gpu = "gpu" in dlx.load(path).recipe.tracking.tags if is_slow(path) else False
    missing = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    return [*([pytest.mark.slow] if is_slow(path) else []), *([pytest.mark.gpu, missing] if gpu else [])]


def claims_training(path):
    try:
        loaded = dlx.load(path)
        return loaded.study is not None or any(not metric.startswith("plan/") for metric in loaded.recipe.expect)
    except RecipeError:
        return False


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture
def planned(path, shared, monkeypatch):
    """Return a recipe and its plan on one core, its data written by its snippet; skip where its data are elsewhere."""
    monkeypatch.setattr("socket.getaddrinfo", _no_network)
    monkeypatch.chdir(shared)  # where recipes find the runs that they name
    overrides = ["hardware.accelerator=cpu", "hardware.num_threads=1", "train.figures=false"]
    overrides.append(f"tracking.uri=sqlite:///{shared}/mlflow.db")
    loaded = dlx.load(path, [*overrides, *_written_data(path, shared)])
    try:
        return loaded, dlx.plan.make(loaded)
    except DataError as error:
        if "DLX_DATA" in os.environ and "ETTh1" not in str(error):  # which is fetched by hand
            raise
        pytest.skip(f"its data are not here, and DLX_DATA names no folder with them: {str(error).splitlines()[0]}")


def _no_network(*_, **__):
    raise OSError("tests download nothing")


def _written_data(path, shared):
    snippet = "".join(re.findall(r"^#     (.*\n)", path.read_text(), re.MULTILINE))
    if not snippet:
        return []
    folder = shared / path.stem
    if not folder.exists():
        folder.mkdir()
        subprocess.run([sys.executable, "-c", snippet], cwd=folder, check=True)
    return [f"data.source.path={folder / dlx.load(path).recipe.data.source.path}"]


def train(path, planned, shared, fast=False):
    """Train a recipe, and before it those that its header tells to train first."""
    loaded, _ = planned
    for first in re.findall(r"First train that.*\n?.* dlx train recipes/(\S+)", header(path)):
        overrides = [f"tracking.uri=sqlite:///{shared}/mlflow.db", "hardware.num_threads=1", "hardware.accelerator=cpu"]
        if (first, fast) not in TRAINED:
            dlx.train(dlx.load(RECIPES / first, overrides), root=shared / "runs", fast=fast, console=quiet())
            TRAINED.add((first, fast))
    if loaded.study is not None:
        search = dlx.sweep if loaded.study.sweep is not None else dlx.compare
        return search(loaded, root=shared / "runs", console=quiet())
    return dlx.train(loaded, root=shared / "runs", fast=fast, console=quiet())


def test_the_gallery_is_there():
    assert len(FOUND) >= 30


@every_recipe
def test_it_says_what_it_shows_and_claims_something(path):
    assert re.search(r"^# (.*[^ ] )?Source: \S", header(path), re.MULTILINE), "a header comment with `Source:`"
    loaded = dlx.load(path)
    assert loaded.recipe.name == path.stem
    assert loaded.recipe.description
    assert loaded.recipe.expect or loaded.study.expect


@pytest.mark.parametrize("path", [p for p in FOUND if is_study(p)], ids=name)
def test_everything_that_a_study_may_run_is_planned(path):
    plan = plan_study(dlx.load(path))
    assert plan.trials or plan.repeats
    assert len(plan.extremes) > 1 or len(plan.variants) > 1


@every_recipe
def test_it_plans_as_it_claims_and_is_slow_only_if_it_says_so(path, planned):
    _, plan = planned
    parts = [(part.recipe, part.quantities) for part in plan.plans_by_prefix.values()]
    for recipe, known in parts:
        assert not {
            m: known[m] for m, claim in recipe.expect.items() if m in known and not holds(claim.bound, known[m])
        }
    if not is_slow(path):
        work = (3 * known["plan/macs"] * known["plan/steps"] * recipe.train.batch_size for recipe, known in parts)
        assert sum(work) <= LITTLE_WORK
        assert sum(known["plan/steps"] for _, known in parts) <= FEW_STEPS


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in FOUND if is_slow(p) and not is_study(p)], ids=name)
def test_a_slow_one_trains_two_steps(path, planned, shared):
    _, plan = planned
    run = train(path, planned, shared, fast=True)
    assert set(plan.recipe.expect) <= set(run.metrics) | set(plan.quantities)


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=marks(p), id=name(p)) for p in FOUND if claims_training(p)],
)
def test_it_keeps_its_claims(path, planned, shared):
    run = train(path, planned, shared)
    claims = run.verdict if planned[0].study is None else run.claims
    assert claims
    assert run.claims_hold, claims


def test_every_slow_recipe_whose_seconds_are_known_is_in_the_sample_of_some_day():
    from datetime import date, timedelta

    known, days = seconds_by_name(), [date(2026, 1, 1) + timedelta(days=i) for i in range(2 * len(FOUND))]
    assert len(known) > 10
    assert all(sum(known[n] for n in sample(day)) <= SECONDS for day in days)
    assert {name for day in days for name in sample(day)} == set(known)
