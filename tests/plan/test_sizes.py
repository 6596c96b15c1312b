"""Sizes are priced in whole numbers and held against the memory that is there, before anything is made of them."""

import pytest

import dlx
from dlx import machine
from dlx.byte_sizes import format_size
from dlx.errors import RecipeError
from dlx.plan import make, refuse_training
from dlx.recipe.load import load

BASE = (
    "task: classification\ndata: {source: {sklearn: iris}}\nmodel: {mlp: {hidden: [8]}}\nhardware: {accelerator: cpu}\n"
)


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "r.yaml").write_text(BASE)
    return lambda *changes: load(tmp_path / "r.yaml", changes)


@pytest.mark.parametrize("hidden", ["[1000000000000000000]", "[280000, 260000]", "[4000000000]"])
def test_a_network_larger_than_the_memory_is_planned_but_not_trained(loaded, hidden, monkeypatch):
    """75 billion parameters, and more than a number of 64 bits could count."""
    monkeypatch.setattr(machine, "memory", lambda accelerator="cpu": 16 << 30)
    recipe = loaded(f"model={{mlp: {{hidden: {hidden}}}}}")
    plan = make(recipe)
    assert plan.quantities["plan/parameters"] > 7e9
    (warning,) = [w for w in plan.warnings if w.code == "DLX511"]
    assert "and this machine has 16.0 GiB" in warning.message
    with pytest.raises(RecipeError) as refused:
        dlx.train(recipe)
    (found,) = refused.value.diagnostics
    assert found.code == "DLX511" and found.path == "model"


def test_what_fits_is_trained_and_a_large_batch_is_only_a_warning(loaded, monkeypatch):
    plan = make(loaded())
    refuse_training(plan, loaded())
    monkeypatch.setattr(machine, "memory", lambda accelerator="cpu": plan.memory.total - 1)
    tight = make(loaded())
    assert [w.code for w in tight.warnings if w.code.startswith("DLX51") and w.code > "DLX510"] == ["DLX512"]
    refuse_training(tight, loaded())


@pytest.mark.parametrize(
    "source",
    [
        "{moons: {n_samples: 4000000000000}}",
        "{blobs: {n_samples: 1000, n_features: 1000000000}}",
        "{random_images: {image_size: 1000000000}}",
        "{gaussians: {n_samples: 2500000000000}}",
    ],
)
def test_samples_that_do_not_fit_are_refused_at_their_line(loaded, source):
    with pytest.raises(RecipeError) as refused:
        make(loaded(f"data.source={source}"))
    (found,) = refused.value.diagnostics
    assert (found.code, found.path) == ("DLX436", "data.source")


def test_repeats_of_repeats_are_counted_not_made(loaded):
    nested = "{repeat: {times: 4000000, layer: {repeat: {times: 30000000, layer: [relu, relu]}}}}"
    with pytest.raises(RecipeError) as refused:
        loaded(f"model={{layers: [{nested}]}}")
    assert "a network has at most 100,000" in refused.value.diagnostics[0].message
    make(loaded("model={layers: [{repeat: {times: 40, layer: {repeat: {times: 3, layer: [relu]}}}}]}"))


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (24 << 30, "24.0 GiB"),
        (10**24, "867,361.7 EiB"),
    ],
)
def test_bytes_in_words(count, words):
    assert format_size(count) == words


def test_force_trains_all_the_same(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "memory", lambda accelerator="cpu": 1 << 10)
    recipe = loaded("data.source={moons: {n_samples: 40}}", "model={mlp: {hidden: [64]}}", "train.epochs=1")
    with pytest.raises(RecipeError):
        dlx.train(recipe)
    assert "test/loss" in dlx.train(recipe, fast=True, force=True).metrics
