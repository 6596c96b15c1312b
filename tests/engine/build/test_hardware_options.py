"""Options of the hardware section change how a step is computed, not what comes of it."""

import copy
import shutil
import time

import pytest
import torch
from kit import make_plan
from torch import nn

from dlx.engine.build.activation_checkpointing import checkpoint_activations
from dlx.engine.build.experiment import build, build_module
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.lr_finder import LossRecorder
from dlx.engine.training.threads import with_fastest_threads
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError
from dlx.plan.hardware import LONG

CONV = """
[{conv: {channels: 8, kernel: 3}}, batch_norm, relu,
 {residual: {layers: [{conv: {channels: 8, kernel: 3, padding: same}}, batch_norm, relu]}}, {dropout: 0.2},
 {residual: {layers: [{conv: {channels: 8, kernel: 3, padding: same}}, batch_norm, relu]}}, global_pool]
"""
RECIPE = f"""
task: classification
data: {{source: {{sklearn: digits}}}}
model: {{type: layers, layers: {CONV}}}
optimizer: {{type: sgd, lr: 0.2}}
train: {{epochs: 3, batch_size: 64, limit_train_samples: 640, log_every_n_steps: 1}}
hardware: {{accelerator: cpu, precision: 32, num_threads: 1}}
"""


@pytest.fixture
def planned(tmp_path):
    return lambda *changes: make_plan(RECIPE, changes, tmp_path)


@pytest.fixture
def learned(planned):
    """Train with changes; return the loss of every step, and the module."""

    def learned(*changes, at_most=8):
        experiment, points = build(planned(*changes)), LossRecorder()
        with silence_lightning():
            trainer = build_trainer(experiment.plan, logger=points)
            trainer.fit(experiment.module, ChunkLoader(experiment.batches["train"], 24, at_most=at_most))
        return points.losses, experiment.module

    return learned


def state(module):
    return module.state_dict()


def test_bf16_learns_as_32_bit_does_with_several_steps_a_burst(learned):
    """Weights that autocast had remembered from before a step would stand still within a burst."""
    exact, _ = learned()
    mixed, module = learned("hardware.precision=bf16-mixed")
    assert mixed == pytest.approx(exact, rel=0.08) and mixed != exact
    assert mixed == pytest.approx(learned("hardware.precision=bf16-mixed", at_most=1)[0], rel=1e-6)
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_64_bit_learns_as_32_bit_does(learned):
    exact, _ = learned("hardware.precision=64")
    losses, module = learned()
    assert losses == pytest.approx(exact, rel=1e-3) and losses != exact
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_channels_last_changes_the_layout_alone(learned):
    """Of a network without dropout, which draws in the order of the layout."""
    certain = "model={type: lenet5}"
    exact, plain = learned(certain, "hardware.channels_last=false")
    losses, module = learned(certain, "hardware.channels_last=true")
    assert losses == pytest.approx(exact, rel=1e-3)
    assert list(state(module)) == list(state(plain))
    convs = [m.weight for m in module.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1]
    assert convs and all(w.is_contiguous(memory_format=torch.channels_last) for w in convs)


def test_channels_last_is_refused_without_images(planned):
    with pytest.raises(RecipeError, match="no images whose channels"):
        planned("hardware.channels_last=true", "data.source={sklearn: iris}", "model=linear")


def test_blocks_computed_again_give_the_same_bits_and_names(learned):
    (exact, plain), (losses, module) = learned(), learned("hardware.activation_checkpointing=true")
    assert losses == exact
    assert state(module).keys() == state(plain).keys()
    assert all(torch.equal(a, b) for a, b in zip(state(module).values(), state(plain).values(), strict=True))


def saved_bytes(module, x):
    """Return the bytes that a forward pass keeps for the backward pass, but for parameters."""
    kept = {}
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}

    def note(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        loss = module(x).sum()
    loss.backward()
    return sum(kept.values())


def test_blocks_computed_again_keep_less_and_the_plan_knows(planned):
    option = "hardware.activation_checkpointing=true"
    deep = "model={type: resnet, depth: 20}"
    plain, saving = planned(deep), planned(deep, option)
    assert saving.memory.activations < 0.5 * plain.memory.activations
    x = torch.rand(16, 1, 8, 8)
    few, many = (saved_bytes(build_module(plan), x) for plan in (saving, plain))
    assert few < 0.5 * many
    (note,) = [n for n in planned("model={mlp: {hidden: [8]}}", option).warnings if "checkpointing" in n.message]
    assert "saves nothing" in note.message


def test_a_copy_of_a_network_computes_its_own_blocks_again():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    checkpoint_activations(network, ["0"])
    other = copy.deepcopy(network)
    with torch.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
    assert other(torch.ones(1, 2)).abs().sum() == 0 and network(torch.ones(1, 2)).abs().sum() > 0


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(learned):
    if shutil.which("g++") is None:
        pytest.skip("torch compiles for a CPU with g++")
    small = "model={mlp: {hidden: [16]}}"
    exact, plain = learned(small)
    losses, module = learned(small, "hardware.compile=true")
    assert losses == pytest.approx(exact, rel=1e-3) and state(module).keys() == state(plain).keys()


def test_compiling_without_a_compiler_is_refused(planned, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RecipeError, match=r"there is no g\+\+: install one"):
        planned("hardware.compile=true")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_16_bit_learns_as_32_bit_does(learned):
    (exact, _), (mixed, _) = (learned("hardware.accelerator=gpu", f"hardware.precision={p}") for p in (32, "16-mixed"))
    assert mixed == pytest.approx(exact, rel=0.1)


# -- threads ----------------------------------------------------------------------------------------------------------

WIDE = ("model={mlp: {hidden: [4000, 4000]}}", "hardware.num_threads=auto", "train.limit_train_samples=null")


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr("dlx.machine.cores", lambda: 2)


def test_a_small_network_and_a_short_training_get_one_thread(planned, two_cores):
    assert planned("hardware.num_threads=auto").auto_values["hardware.num_threads"] == "1"
    assert planned(*WIDE, "train.epochs=1").auto_values["hardware.num_threads"] == "1"  # too few steps to try two
    long = planned(*WIDE, "train.epochs=null", f"train.steps={LONG}")
    assert long.auto_values["hardware.num_threads"] == "2, or 1 if the first steps are faster so"
    assert (
        planned(*WIDE, "train.epochs=null", f"train.steps={LONG}", "hardware.num_threads=2").auto_values.get(
            "hardware.num_threads"
        )
        is None
    )


@pytest.mark.parametrize("faster", [1, 2])
def test_threads_are_what_the_first_steps_say(planned, two_cores, monkeypatch, faster):
    """Steps with the other number of threads are made slow."""
    plan = planned("model={mlp: {hidden: [8]}}")
    plan = plan.evolve_all({"resolved.hardware.num_threads": 2, "recipe.hardware.num_threads": 2})
    step, before = nn.Linear.forward, torch.get_num_threads()

    def slowed(self, x):
        if torch.get_num_threads() != faster:
            time.sleep(0.5)
        return step(self, x)

    monkeypatch.setattr(nn.Linear, "forward", slowed)
    chosen = with_fastest_threads(plan)
    assert chosen.recipe.hardware.num_threads == chosen.resolved.hardware.num_threads == faster
    assert chosen.auto_values["hardware.num_threads"] == f"{faster} (tried 1 and 2)"
    assert torch.get_num_threads() == before
