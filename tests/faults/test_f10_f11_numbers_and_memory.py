"""F10, F11: a loss that is no longer a number, and memory that does not suffice."""

import io
import math

import pytest
import torch
from rich.console import Console

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.runs.resume import find_interrupted
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.errors import RunError
from dlx.tasks._supervised.module import SupervisedModule

RECIPE = """
name: numbers
task: classification
data: {source: {sklearn: iris}}
model: {mlp: [8]}
optimizer: {sgd: {lr: 0.1}}
train: {epochs: 3, batch_size: 16}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)

    def run(**changes):
        console = Console(file=io.StringIO(), width=200)
        return dlx.train("r.yaml", changes, console=console), console.file.getvalue()

    return run


def broken(monkeypatch, when, value=math.nan):
    """Make the loss of some batches another number; `when` gets the count of batches so far."""
    original, seen = SupervisedModule.loss, []

    def loss(self, batch):
        seen.append(1)
        loss = original(self, batch)
        return loss * value if when(len(seen)) else loss

    monkeypatch.setattr(SupervisedModule, "loss", loss)
    return seen


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_f10_a_batch_without_a_finite_loss_is_left_out(train, monkeypatch, value):
    broken(monkeypatch, lambda count: count in (4, 11), value)
    run, _ = train()
    assert run.notes == ["2 batches were left out, because their loss was not finite"]
    assert all(math.isfinite(v) for v in run.metrics.values())


def test_f10_training_goes_back_and_on_with_half_the_rate(train, monkeypatch):
    seen = broken(monkeypatch, lambda count: 12 <= count < 15)
    run, said = train(**{"train.checkpoint_every_n_seconds": 1e-9})
    assert "training goes back to step-" in said
    assert "with 0.5 of the lr" in said
    assert run.metrics["test/accuracy"] > 0.5
    assert len(seen) > 3 * 7
    (group,) = load_checkpoint(list_checkpoints(run.folder / "checkpoints")[0])["optimizer_states"][0]["param_groups"]
    assert group["lr"] == pytest.approx(0.05)


def test_f10_after_three_times_it_fails_and_says_which_weights_went_first(train, tmp_path):
    with pytest.raises(RunError, match=r"loss became (nan|inf).*Lower optimizer\.lr"):
        train(**{"optimizer.lr": 1e30})
    (folder,) = tmp_path.glob("runs/*")
    for path in (folder / "checkpoints").glob("*.ckpt"):
        assert all(bool(v.isfinite().all()) for v in load_checkpoint(path)["state_dict"].values())


def test_f10_weights_that_are_lost_are_named(train, monkeypatch):
    original = SupervisedModule.train_batch

    def train_batch(self, batch):
        original(self, batch)
        with torch.no_grad():
            dict(self.named_parameters())["networks.network.head.0.weight"].fill_(math.nan)

    monkeypatch.setattr(SupervisedModule, "train_batch", train_batch)
    with pytest.raises(RunError, match=r"first weights that are not finite are networks\.network\.head\.0\.weight"):
        train()


def test_f11_a_batch_that_does_not_fit_is_computed_in_portions(train, monkeypatch):
    whole, _ = train()
    original = SupervisedModule.loss

    def loss(self, batch):
        if len(batch["rows"]) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return original(self, batch)

    monkeypatch.setattr(SupervisedModule, "loss", loss)
    run, said = train()
    assert "a batch of 16 is now computed in 4 micro-batches; the effective batch size is unchanged" in said
    assert run.metrics["test/loss"] == pytest.approx(whole.metrics["test/loss"], rel=1e-4)
    assert any("out of memory" in note for note in run.notes)


def test_f11_a_sample_that_does_not_fit_is_the_end(train, monkeypatch):
    def loss(self, batch):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(SupervisedModule, "loss", loss)
    with pytest.raises(RunError, match="a single sample does not fit"):
        train()


@pytest.mark.parametrize(("lasts", "advice"), [(0, "Start again with"), (10, r"Go on with: dlx train --resume (\S+)")])
def test_f11_with_several_devices_the_advice_is_one_that_can_be_followed(train, monkeypatch, lasts, advice):
    original, seen = SupervisedModule.loss, []

    def loss(self, batch):
        seen.append(1)
        if len(seen) > lasts and len(batch["rows"]) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return original(self, batch)

    monkeypatch.setattr(SupervisedModule, "loss", loss)
    monkeypatch.setattr("dlx.engine.training.fit.is_distributed", lambda: True)
    with pytest.raises(RunError, match=rf"on one device\. {advice} train\.gradient_accumulation=2\b") as caught:
        train(**{"train.checkpoint_every_n_seconds": 0.001})
    if lasts:
        run = str(caught.value).partition("--resume ")[2].split()[0]
        found = find_interrupted(run, None, ["train.gradient_accumulation=2"], allow_change=True)
        assert found.plan.recipe.train.gradient_accumulation == 2
