"""F10, F11: a loss that is no longer a number, and memory that does not suffice."""

import math

import pytest
import pytorch_lightning as pl
import torch
from kit import AfterStep, quiet

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.runs.resume import find_interrupted
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.errors import RunError

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

    def run(*callbacks, **changes):
        console = quiet()
        return dlx.train("r.yaml", changes, console=console, callbacks=callbacks), console.file.getvalue()

    return run


class Forward(pl.Callback):
    """Gives what the network computes in training to a function (samples, output), which may return something else."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def on_fit_start(self, trainer, pl_module):
        def hook(network, inputs, output):
            if network.training:
                self.count += 1
                return self.function(len(output), output)
            return output

        pl_module.networks["network"].register_forward_hook(hook)


def lose(when, wrong=lambda logits: logits * math.nan):
    """Lose the loss of some batches; `when` gets the count of batches so far."""
    callback = Forward(lambda samples, logits: wrong(logits) if when(callback.count) else logits)
    return callback


def fill_memory(samples, lasts=0):
    """Let memory run out where there are more samples than so many, after some batches."""

    def function(found, output):
        if callback.count > lasts and found > samples:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return output

    callback = Forward(function)
    return callback


def endless(logits):
    """Return logits whose loss is infinite."""
    return logits * 0 + logits.new_tensor([3e38, -3e38, -3e38])


def last_lr(run):
    (group,) = load_checkpoint(list_checkpoints(run.folder / "checkpoints")[0])["optimizer_states"][0]["param_groups"]
    return group["lr"]


@pytest.mark.parametrize("wrong", [lambda logits: logits * math.nan, endless], ids=["nan", "inf"])
def test_f10_a_batch_without_a_finite_loss_is_left_out(train, wrong):
    run, _ = train(lose(lambda count: count in (4, 11), wrong))
    assert run.notes == ["2 batches were left out, because their loss was not finite"]
    assert all(math.isfinite(v) for v in run.metrics.values())


def test_f10_training_goes_back_and_on_with_half_the_rate(train):
    callback = lose(lambda count: 12 <= count < 15)
    run, said = train(callback, **{"train.checkpoint_every_n_seconds": 1e-9})
    assert "training goes back to step-" in said
    assert "with 0.5 of the lr" in said
    assert run.metrics["test/accuracy"] > 0.5
    assert callback.count > 3 * 7
    assert last_lr(run) == pytest.approx(0.05)


def test_f10_a_second_divergence_from_the_same_checkpoint_halves_the_rate_again(train):
    # three batches from the beginning, and three of the next attempt
    run, said = train(lose(lambda count: count <= 6), **{"train.epochs": 1})
    assert "goes back to its beginning, with 0.25 of the lr" in said
    assert last_lr(run) == pytest.approx(0.025)


def test_f10_a_divergence_behind_a_newer_checkpoint_halves_what_it_has(train):
    callback = lose(lambda count: count in (12, 13, 14, 20, 21, 22))
    run, said = train(callback, **{"train.checkpoint_every_n_seconds": 1e-9})
    assert [line for line in said.splitlines() if "of the lr" in line][1].endswith("with 0.25 of the lr")
    assert last_lr(run) == pytest.approx(0.025)


def test_f10_after_three_times_it_fails_and_says_which_weights_went_first(train, tmp_path):
    with pytest.raises(RunError, match=r"loss became (nan|inf).*Lower optimizer\.lr"):
        train(**{"optimizer.lr": 1e30})
    (folder,) = tmp_path.glob("runs/*")
    for path in (folder / "checkpoints").glob("*.ckpt"):
        assert all(bool(v.isfinite().all()) for v in load_checkpoint(path)["state_dict"].values())


def test_f10_weights_that_are_lost_are_named(train):
    def lose_weights(module):
        with torch.no_grad():
            dict(module.named_parameters())["networks.network.head.0.weight"].fill_(math.nan)

    with pytest.raises(RunError, match=r"first weights that are not finite are networks\.network\.head\.0\.weight"):
        train(AfterStep(lose_weights))


def test_f11_a_batch_that_does_not_fit_is_computed_in_micro_batches(train):
    whole, _ = train()
    run, said = train(fill_memory(5))
    assert "a batch of 16 is now computed in 4 micro-batches; the effective batch size is unchanged" in said
    assert run.metrics["test/loss"] == pytest.approx(whole.metrics["test/loss"], rel=1e-4)
    assert any("out of memory" in note for note in run.notes)


def test_f11_a_sample_that_does_not_fit_is_the_end(train):
    def fail(samples, output):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(RunError, match="a single sample does not fit"):
        train(Forward(fail))


@pytest.mark.parametrize(("lasts", "advice"), [(0, "Start again with"), (10, r"Go on with: dlx train --resume (\S+)")])
def test_f11_with_several_devices_the_advice_is_one_that_can_be_followed(train, monkeypatch, lasts, advice):
    monkeypatch.setattr("dlx.engine.training.fit.is_distributed", lambda: True)
    with pytest.raises(RunError, match=rf"on one device\. {advice} train\.gradient_accumulation=2\b") as caught:
        train(fill_memory(8, lasts), **{"train.checkpoint_every_n_seconds": 0.001})
    if lasts:
        run = str(caught.value).partition("--resume ")[2].split()[0]
        found = find_interrupted(run, None, ["train.gradient_accumulation=2"], allow_change=True)
        assert found.plan.recipe.train.gradient_accumulation == 2


def test_f11_a_batch_is_not_cut_where_the_network_would_learn_something_else(train):
    asked = r"batch_norm would learn something else .* Start again with train\.gradient_accumulation=2"
    with pytest.raises(RunError, match=asked):
        train(fill_memory(8), model={"type": "layers", "layers": [{"linear": 8}, "batch_norm"]})
