"""Reproducing: a run trained again is the same to the bit, and what was altered is named by its step and layer."""

import json

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from kit import quiet

import dlx
from dlx.engine.runs.reproduce import Difference, first_difference
from dlx.engine.runs.run import RunRequest, execute
from dlx.engine.training import layer_hashes
from dlx.engine.training.layer_hashes import TrainingTrace, hash_tensor, read_trace
from dlx.engine.training.pause import TrainingPaused
from dlx.errors import UsageError

RECIPE = """
name: again
task: classification
data:
  source: {sklearn: digits}
  augment: [{random_gaussian_noise: {p: 0.5}}]
model: {type: layers, layers: [flatten, {linear: 24}, batch_norm, relu, {linear: 12}, {dropout: 0.2}]}
optimizer: {adamw: {lr: 0.005}}
regularize: {ema: 0.9, grad_clip: 1.0}
train: {epochs: 2, batch_size: 32, gradient_accumulation: 2, limit_train_samples: 256, figures: false}
tracking: {log_model: false}
hardware: {accelerator: cpu, num_threads: 1}
expect: {test/accuracy: ">= 0.2"}
"""
STEPS = 16


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run every step of which is hashed."""
    folder = tmp_path_factory.mktemp("reproduce")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(layer_hashes, "SHARE", 1e9)
        patch.setattr(layer_hashes, "GROWTH", 1.0)
        (folder / "r.yaml").write_text(RECIPE)
        yield execute(request_of(folder))


def request_of(folder, **options):
    """Return the request to train the recipe into a directory, which is not tracked."""
    loaded = dlx.load(folder / "r.yaml")
    return RunRequest(dlx.plan.make(loaded), loaded, folder / "runs" / "again-1", quiet(), is_tracked=False, **options)


@pytest.fixture
def stored(trained):
    """The run, which a test may alter: it is put back as it was."""
    files = {name: (trained.folder / name).read_bytes() for name in ("resolved.yaml", "lock.json", "run.json")}
    yield trained.folder
    for name, content in files.items():
        (trained.folder / name).write_bytes(content)


def alter(folder, change):
    recipe = yaml.safe_load((folder / "resolved.yaml").read_text())
    change(recipe)
    (folder / "resolved.yaml").write_text(yaml.safe_dump(recipe))


def again(folder, **options):
    (found,) = dlx.reproduce(folder, console=quiet(), **options)
    return found


class Nudge(pl.Callback):
    """Changes one weight by its last bits before a step."""

    def __init__(self, step, name, by=1e-6):
        self.step, self.name, self.by = step, name, by

    def on_train_batch_start(self, trainer, module, chunk, index):
        if trainer.global_step == self.step:
            with torch.no_grad():
                module.get_parameter(self.name).view(-1)[0].add_(self.by)


def test_a_run_is_the_same_to_the_bit(trained):
    trace = read_trace(trained.folder)
    assert sorted(trace.hashes) == list(range(STEPS))
    assert [name for name in trace.hashes[0] if name.startswith("body.")] == [f"body.{i}" for i in range(6)]
    assert len(trace.losses) == STEPS
    found = again(trained.folder)
    assert found.sentence == found.verdict == "same bits"
    assert (found.difference, found.weights, found.metrics, found.environment) == (None, True, {}, {})
    assert not list(trained.folder.glob(".reproduction-*"))


def test_another_seed_differs_from_the_first_step(stored):
    alter(stored, lambda recipe: recipe.update(seed=recipe["seed"] + 1))
    assert again(stored, steps=2).sentence == "differs from step 0, first in layer body.0"


def test_another_initialization_is_found_in_its_layer(stored):
    alter(stored, lambda recipe: recipe["model"]["layers"][4].update(init={"type": "orthogonal"}))
    found = again(stored, steps=2)
    assert found.difference == Difference(0, "body.4", 0)
    assert found.verdict == "differs"


def test_another_layer_is_found(stored):
    alter(stored, lambda recipe: recipe["model"]["layers"].__setitem__(3, {"type": "gelu"}))
    assert again(stored, steps=2).difference == Difference(0, "body.3", 0)


def test_a_weight_that_changes_later_is_found_at_its_step_and_layer(trained):
    (name,) = [n for n in _names(trained) if n.endswith("body.4.weight")]
    found = again(trained.folder, callbacks=[Nudge(7, name)])
    assert found.difference == Difference(7, "body.4", 7)
    assert found.verdict == "same claims"  # it still learns
    assert found.sentence == "same claims; differs from step 7, first in layer body.4"
    assert found.weights is False


def test_claims_that_no_longer_hold_are_named(trained):
    (name,) = [n for n in _names(trained) if n.endswith("head.0.bias")]
    found = again(trained.folder, callbacks=[Nudge(1, name, by=1e4)])
    assert found.verdict == "differs"
    assert found.sentence.startswith("differs from step 1, first in layer head.0; test/accuracy >= 0.2 does not hold")


def _names(run):
    state = torch.load(run.checkpoint, weights_only=True)["state_dict"]
    return list(state)


def test_what_differs_in_the_environment_is_named(stored):
    lock = json.loads((stored / "lock.json").read_text())
    assert lock["kernels"]["torch"] == torch.backends.cpu.get_cpu_capability()
    lock["packages"]["torch"], lock["kernels"]["blas"] = "1.0", ["openblas 0.2 Z80"]
    lock["hardware"]["num_threads"] = 64
    (stored / "lock.json").write_text(json.dumps(lock))
    found = again(stored, steps=1)
    assert found.verdict == "same bits"
    assert found.environment["packages.torch"] == ("1.0", torch.__version__)
    assert found.environment["kernels.blas"][0] == ["openblas 0.2 Z80"]
    assert found.environment["hardware.num_threads"] == (64, 1)
    assert set(found.environment) == {"packages.torch", "kernels.blas", "hardware.num_threads"}


def test_a_run_that_was_interrupted_and_resumed_is_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    request = request_of(tmp_path)
    with pytest.raises(TrainingPaused):
        execute(request_of(tmp_path, pause_after_epoch=1))
    (unfinished,) = dlx.reproduce(request.folder, console=quiet())
    assert (unfinished.sentence, unfinished.steps) == ("same bits in the first 8 steps", 8)
    assert "did not come to its end" in unfinished.notes[-1]
    execute(request)
    assert len(read_trace(request.folder).losses) == STEPS
    assert again(request.folder).sentence == "same bits"


def test_every_stage_is_reproduced_from_the_weights_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("epochs: 2", "epochs: 1") + _STAGES)
    run = dlx.train("r.yaml", console=quiet())
    first, second = dlx.reproduce(run.folder, console=quiet())
    assert (first.sentence, second.sentence) == ("same bits", "same bits")
    assert second.run == f"{run.folder.name}/2-tune"
    alter(run.folder / "2-tune", lambda recipe: recipe.update(init_from=None))
    changed = dlx.reproduce(run.folder / "2-tune", steps=1, console=quiet())
    assert changed[0].difference == Difference(0, "body.1", 0)


_STAGES = """
stages:
  pretrain: {seed: 3}
  tune: {init_from: {stage: pretrain, only: [body]}}
"""


def test_what_stores_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x-1").mkdir(parents=True)
    (tmp_path / "runs" / "x-1" / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no recipe"):
        dlx.reproduce("x-1")
    (tmp_path / "runs" / "x-1" / "study.json").write_text("{}")
    with pytest.raises(UsageError, match="is a study"):
        dlx.reproduce("x-1")


def trace(losses, **hashes):
    return TrainingTrace({int(step[1:]): layers for step, layers in hashes.items()}, np.array(losses, "<f8"))


def test_the_first_difference_is_that_of_losses_or_layers():
    a, b = {"x": "1", "y": "2"}, {"x": "1", "y": "3"}
    then = trace([1.0, 2.0, 3.0], s0=a, s2=a)
    assert first_difference(then, then) is None
    assert first_difference(then, trace([1.0, 2.0, 3.0], s0=a, s2=b)) == Difference(2, "y", 2)
    late = first_difference(then, trace([1.0, 2.5, 3.0], s0=a, s2=b))
    assert str(late) == "differs from step 1; in step 2, first in layer y"
    assert str(first_difference(then, trace([1.0, 2.0, np.nan]))) == "differs from step 2"
    assert first_difference(then, trace([1.0, 2.0])) == Difference(2)
    assert first_difference(then, trace([1.0, 2.0]), whole=False) is None
    assert first_difference(then, trace([1.0], s0={"y": "2"}), whole=False) == Difference(0, "x", 0)
    nans = trace([np.nan])
    assert first_difference(nans, nans) is None


def test_a_hash_is_of_type_shape_and_every_bit():
    x = torch.arange(6.0)
    same = [x, x.clone(), x.view(2, 3).t().contiguous().t().reshape(6)]
    assert len({hash_tensor(t) for t in same}) == 1
    others = [x.view(2, 3), x.double(), x.nextafter(torch.tensor(9.0)), x.flip(0), x.bfloat16(), -x, torch.tensor(0.0)]
    assert len({hash_tensor(t) for t in [x, *others]}) == 1 + len(others)
