"""Pictures are drawn while training goes on, and change nothing."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from kit import Stopper, assert_same_weights, cut, is_stopped, quiet

import dlx
from dlx.engine.build.experiment import build
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.rng import random_state
from dlx.engine.training import figure_callback as looking
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.figure_callback import FigureCallback, preserve_state

RECIPE = """
name: looked
task: TASK
data: {source: {sklearn: digits}, transforms: [{normalize: {method: min_max}}], split: SPLIT}
model: MODEL
regularize: {ema: 0.9}
train: {epochs: 4, batch_size: 32, limit_train_samples: 96, limit_val_samples: 40, limit_test_samples: 40}
hardware: {accelerator: cpu, num_threads: 1}
"""
SPLIT = "{val: 0.2, test: 0.2}"
DROPPING = "{layers: [flatten, {linear: 16}, batch_norm, relu, {dropout: 0.3}]}"
CASES = {
    "vae": (
        "{type: vae, latent_dim: 3}",
        DROPPING,
        {"samples", "reconstructions", "traversal", "interpolation", "codes"},
    ),
    "gan": (
        "{type: gan, latent_dim: 3, metrics: [mmd]}",
        DROPPING,
        {"samples", "interpolation", "filters_discriminator"},
    ),
    "rbm": ("{type: rbm, persistent: true, chains: 5}", "{layers: [flatten, {rbm: 8}]}", {"samples", "filters"}),
    "diffusion": (
        "{type: diffusion, sampling_steps: 4}",
        "{denoiser_unet: {channels: [8], num_heads: 0}}",
        {"denoising"},
    ),
    "classification": ("classification", DROPPING, {"confusion_matrix", "filters"}),
    "anomaly": ("{type: anomaly, labeled: true}", DROPPING, {"scores", "reconstructions"}),
}


def recipe(name, split=SPLIT):
    task, model, _ = CASES[name]
    return RECIPE.replace("TASK", task).replace("MODEL", model).replace("SPLIT", split)


def trained(name, every, split=SPLIT, figures=True):
    Path("r.yaml").write_text(recipe(name, split))
    changes = {"train.figures_every_n_epochs": every, "train.figures": figures}
    return dlx.train("r.yaml", changes, console=quiet())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_who_is_looked_at_learns_the_same(name, here):
    split = "{val: 0.2, test: 0.2, holdout_classes: ['3']}" if name == "anomaly" else SPLIT
    blind, seen = trained(name, 2, split, figures=False), trained(name, 2, split)
    one, other = (load_checkpoint(list_checkpoints(run.folder / "checkpoints")[0]) for run in (blind, seen))
    assert [n for n, v in one["state_dict"].items() if not torch.equal(v, other["state_dict"][n])] == []
    assert torch.equal(one["random"]["torch"], other["random"]["torch"])
    assert blind.metrics == seen.metrics
    found = {path.parent.name: path for path in (seen.folder / "figures").glob("*/*.png")}
    assert CASES[name][2] <= set(found)
    steps = {path.name for path in (seen.folder / "figures").glob("*/*.png")}
    assert steps == {"step-000000006.png", "step-000000012.png"}
    assert not (blind.folder / "figures").exists() and blind.figures == [] != seen.figures
    assert seen.notes == blind.notes


def test_without_a_val_split_samples_of_train_are_looked_at(here):
    run = trained("vae", 4, "{val: 0, test: 0.2}")
    assert [p.name for p in (run.folder / "figures" / "samples").iterdir()] == ["step-000000012.png"]


def test_pictures_reach_the_tracker_in_a_folder_for_each_kind(here):
    from dlx.tracking.store import mlflow_client

    run = trained("vae", 4)
    logged = mlflow_client().list_artifacts(run.mlflow_run, "figures/traversal")
    assert [artifact.path for artifact in logged] == ["figures/traversal/step-000000012.png"]


def test_what_cannot_be_drawn_is_said_and_stops_nothing(here, monkeypatch):
    def broken(*_):
        raise ValueError("no ink")

    monkeypatch.setattr("dlx.tasks.vae.VAE.figures", broken)
    run = trained("vae", 2)
    assert [note for note in run.notes if "no ink" in note] == [
        "figures of the task could not be drawn: ValueError: no ink",
        "figures of step 6 are missing: ValueError: no ink",
    ]
    assert "test/loss" in run.metrics and "learning_curves.png" in {path.name for path in run.figures}


def rhythm(monkeypatch, seconds_an_epoch, cost, epochs):
    """Return after which epochs pictures are drawn that cost so many seconds."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(looking.time, "monotonic", lambda: clock.now)
    seen, look = [], FigureCallback(None, None, None, None)
    for epoch in range(1, epochs + 1):
        clock.now += seconds_an_epoch
        if look.is_due(epoch):
            seen.append(epoch)
            look.epoch, look.latest = epoch, cost
            look.spent += cost
    return seen, look.spent / clock.now


def test_the_rhythm_is_sparse_and_takes_little_of_the_time(monkeypatch):
    assert rhythm(monkeypatch, 1000.0, 1.0, 40) == ([1, 2, 4, 8, 16, 32], pytest.approx(6 / 40_000))
    seen, share = rhythm(monkeypatch, 30.0, 5.0, 100)
    assert share <= looking.TIME_SHARE and len(seen) >= 2
    assert rhythm(monkeypatch, 0.1, 1.0, 100) == ([], 0)


def test_looking_leaves_no_trace(here):
    trained("vae", 0)
    module = build(dlx.plan.make(dlx.load("r.yaml"))).module
    module.train()
    module.networks["encoder"].eval()
    before = random_state()
    with preserve_state(module):
        assert not module.training and not torch.is_grad_enabled()
        torch.randn(3)
    assert torch.equal(before["torch"], random_state()["torch"])
    assert module.training and not module.networks["encoder"].training and module.networks["decoder"].training


@pytest.mark.slow
def test_of_several_processes_the_first_one_looks(here):
    Path("r.yaml").write_text(recipe("vae"))
    shared = {"hardware.devices": 2, "hardware.strategy": "ddp"}
    blind, seen = (
        dlx.train("r.yaml", {"train.figures_every_n_epochs": every, **shared}, console=quiet()) for every in (0, 2)
    )
    assert_same_weights(blind, seen)
    assert len(list((seen.folder / "figures" / "samples").iterdir())) == 2


def test_a_run_that_goes_on_looks_again_and_ends_the_same(here):
    Path("r.yaml").write_text(recipe("gan"))
    often = {"train.figures_every_n_epochs": 1, "train.checkpoint_every_n_seconds": 1e-9}
    whole = dlx.train("r.yaml", often, console=quiet())
    with is_stopped():
        dlx.train("r.yaml", often, console=quiet(), callbacks=[Stopper(2 * 3, cut)])
    again = dlx.resume("last", console=quiet())
    assert_same_weights(whole, again)
    assert again.metrics == whole.metrics
    assert len(list((again.folder / "figures" / "samples").iterdir())) == 4
