"""What a person sees of something in many steps; how long samples take is told without making them all."""

import io
from types import SimpleNamespace

from rich.console import Console

from dlx.engine.build.experiment import Experiment, build_module
from dlx.engine.inference import sampling_time as seconds
from dlx.engine.inference.sampling_time import measure_sampling_seconds
from dlx.engine.training import progress
from dlx.engine.training.progress import ProgressDisplay, StepProgress
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe


def shown(steps, patience, monkeypatch, terminal=False):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    out = io.StringIO()
    watched = StepProgress(Console(file=out, force_terminal=terminal, width=100))
    assert list(watched(range(steps), "making samples")) == list(range(steps))
    return out.getvalue()


def test_what_is_soon_over_shows_nothing(monkeypatch):
    assert shown(5, 60.0, monkeypatch) == shown(5, 60.0, monkeypatch, terminal=True) == ""


def test_what_takes_long_says_so_once_or_shows_a_bar(monkeypatch):
    said = shown(1500, 0.0, monkeypatch)
    assert said.startswith("making samples: 1,500 steps take about ") and said.count("\n") == 1
    assert "/1500" in shown(1500, 0.0, monkeypatch, terminal=True)


def experiment(task, folder):
    recipe = {
        "task": task,
        "data": {"source": {"gaussians": {"n_samples": 100}}},
        "model": {"denoiser_mlp": {}} if "diffusion" in task else {"mlp": [8]},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    plan = make(LoadedRecipe(Recipe.model_validate(recipe), folder))
    return Experiment(plan, build_module(plan), {}, None)


def test_a_sampler_in_many_steps_is_timed_by_some_of_them(tmp_path, monkeypatch):
    timed = experiment({"diffusion": {"timesteps": 1000, "sampling_steps": 800}}, tmp_path)
    evaluated = []
    timed.module.networks["denoiser"].register_forward_hook(lambda *_: evaluated.append(1))
    monkeypatch.setattr(seconds.time, "monotonic", lambda: 0.25 * len(evaluated))  # what each evaluation takes
    assert measure_sampling_seconds(timed) == 0.25 * 800
    assert len(evaluated) == 1 + seconds.TIMED_STEPS


def test_what_makes_samples_at_once_is_timed_whole(tmp_path):
    assert 0 < measure_sampling_seconds(experiment("vae", tmp_path)) < 1
    assert measure_sampling_seconds(experiment("autoencoder", tmp_path)) is None


def test_lines_of_epochs_say_what_is_drawn_and_leave_out_what_does_not_change():
    out = io.StringIO()
    display = ProgressDisplay(Console(file=out, width=200), 3, 4)
    for epoch, (loss, part) in enumerate([(2.0, 0.0), (1.0, 0.0), (0.5, 0.25), (0.4, 0.25)]):
        known = {"train/loss": loss, "val/mae": 3.0, "val/mae.naive": 1.5, "val/iou.cat": part, "lr": 0.1}
        display.on_train_epoch_end(SimpleNamespace(callback_metrics=known, max_epochs=4, current_epoch=epoch), None)
    first, second, third, fourth = out.getvalue().splitlines()
    assert first == "epoch 1/4  train/loss 2  val/iou.cat 0  val/mae 3  val/mae.naive 1.5"
    assert second == "epoch 2/4  train/loss 1  val/mae 3  train/loss █▁"
    assert third == "epoch 3/4  train/loss 0.5  val/iou.cat 0.25  val/mae 3  train/loss █▃▁"
    assert "val/iou.cat 0.25" in fourth and "naive" not in fourth
