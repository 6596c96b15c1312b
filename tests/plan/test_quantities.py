import gc
from itertools import accumulate, product

import pytest
import torch
from kit import make_plan
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile

from dlx.data.prepare import prepare
from dlx.engine.build.experiment import build, build_module
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.trainer import build_trainer
from dlx.errors import RecipeError
from dlx.plan import make
from dlx.plan.memory import FLOAT
from dlx.plan.validation import validate_file
from dlx.recipe.load import load

DIGITS = "task: classification\ndata: {source: {sklearn: digits}}\n"
MLP = "model: {mlp: {hidden: [512, 512, 256]}}\n"
CNN = """
model:
  type: layers
  layers:
    - {conv: {channels: 32, kernel: 3, padding: same}}
    - batch_norm
    - relu
    - {max_pool: 2}
    - {conv: {channels: 64, kernel: 3, padding: same}}
    - relu
    - global_pool
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "recipe.yaml").write_text(text)
        return tmp_path / "recipe.yaml"

    return write


@pytest.fixture
def planned(tmp_path):
    return lambda text, *overrides: make_plan(text, overrides, tmp_path)


def refused(path):
    with pytest.raises(RecipeError) as caught:
        make(load(path))
    return caught.value.diagnostics


def test_parameters_of_the_quickstart_are_those_of_the_module(recipes):
    plan = make(load(recipes / "quickstart.yaml"))
    module = build_module(plan)
    assert plan.quantities["plan/parameters"] == 9610 == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("model", [MLP, CNN])
def test_quantities_are_those_of_the_module(planned, model):
    from torch.utils.flop_counter import FlopCounterMode

    plan = planned(DIGITS + model)
    module = build_module(plan)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module.eval()(torch.zeros(1, 1, 8, 8))
    assert plan.quantities["plan/parameters"] == sum(p.numel() for p in module.parameters())
    assert plan.quantities["plan/flops"] == counter.get_total_flops()


def training(plan):
    """Return a plan's module, the bytes of its optimizer's state, and a function that takes a training step."""
    experiment = build(plan)
    module, batch = experiment.module, next(iter(experiment.batches["train"]))
    optimizer = module.configure_optimizers()[0]["optimizer"]

    def forward():
        return module.output_loss(module(module.input_of(batch)), batch)

    def step():
        forward().backward()

    step()
    optimizer.step()
    optimizer.zero_grad()
    state = sum(v.nbytes for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v))
    return module, batch, state, forward, step


def bytes_kept(module, forward):
    """Return the bytes of distinct storages that a forward pass saves for the backward pass."""
    owned = {t.untyped_storage().data_ptr() for t in [*module.parameters(), *module.buffers()]}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = forward()
    held = sum(t.untyped_storage().nbytes() for pointer, t in kept.items() if pointer not in owned)
    assert loss.requires_grad
    return held


def bytes_at_peak(step):
    """Return the most bytes that torch's allocator had given out at once in a step."""
    gc.collect()  # what earlier steps leave would count as freed in this one
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = profiled.profiler.kineto_results.events()
    return max(accumulate(e.nbytes() for e in events if e.name() == "[memory]"))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize(
    ("model", "batch_size", "last", "within"),
    [
        (MLP, 64, "auto", 0.2),
        (MLP, 1024, "auto", 0.2),
        (CNN, 128, "false", 0.2),
        (CNN, 128, "true", 0.3),  # what is flattened is copied, in both directions
    ],
)
def test_memory_is_what_training_holds(planned, model, batch_size, last, within, optimizer):
    settings = f"train: {{batch_size: {batch_size}}}\nhardware: {{channels_last: {last}}}\n"
    plan = planned(f"{DIGITS}{model}\noptimizer: {optimizer}\n{settings}")
    module, batch, state, forward, step = training(plan)
    weights = sum(p.nbytes for p in module.parameters())
    assert plan.memory.gradients == weights
    assert plan.memory.optimizer == pytest.approx(state, rel=0.02)
    kept = bytes_kept(module, forward)
    assert kept == pytest.approx(FLOAT * batch_size * plan.quantities["plan/activations"], rel=0.2)
    peak = weights + state + batch["image"].nbytes + bytes_at_peak(step)
    assert plan.memory.total == pytest.approx(peak, rel=within)


UNET = """task: segmentation
data: {source: {shapes: {n_samples: 80, image_size: 32}}}
model: {unet: {channels: [8, 16, 32]}}
regularize: {dropout: 0.2}
"""
DENOISER = "task: diffusion\ndata: {source: {sklearn: digits}}\nmodel: {denoiser_unet: {channels: [8, 16]}}\n"
RESNET = f"{DIGITS}model: {{resnet: {{depth: 20}}}}\n"
VIT = f"{DIGITS}model: {{vit: {{patch_size: 1, features: 32, num_heads: 4, num_layers: 2, dropout: 0.1}}}}\n"
GPT = """task: language_modeling
data: {source: {text: {path: text.txt, block_size: 64}}}
model: {gpt: {features: 32, num_heads: 4, num_layers: 2, dropout: 0.1}}
"""


def bytes_of_training(plan):
    """Return the most bytes that weights, and what torch's allocator had given out, took at once in three steps."""
    experiment, trainer = build(plan), build_trainer(plan)
    weights = sum(t.nbytes for t in [*experiment.module.parameters(), *experiment.module.buffers()])
    bursts = ChunkLoader(experiment.batches["train"], plan.length.steps)
    return weights + bytes_at_peak(lambda: trainer.fit(experiment.module, bursts))


NETWORKS = [DIGITS + MLP, UNET, DENOISER, RESNET, VIT, GPT]
FORMATS = [*product(NETWORKS, [32, "bf16-mixed"]), *product([VIT, GPT], [64])]


@pytest.mark.parametrize(("text", "precision"), FORMATS)
def test_memory_is_what_training_takes_in_every_format(planned, tmp_path, text, precision):
    (tmp_path / "text.txt").write_text("all work and no play makes jack a dull boy. " * 200)
    settings = ("train.steps=3", "train.batch_size=32", f"hardware.precision={precision}")
    plan = planned(text, *settings)
    assert plan.memory.total == pytest.approx(bytes_of_training(plan), rel=0.2)


@pytest.mark.parametrize("text", [UNET, RESNET, VIT])
def test_memory_of_blocks_that_are_computed_again_is_what_training_takes(planned, text):
    settings = ("train.steps=3", "train.batch_size=32", "hardware.precision=32")
    whole, again = (planned(text, *settings, f"hardware.activation_checkpointing={on}") for on in ("false", "true"))
    assert again.memory.total == pytest.approx(bytes_of_training(again), rel=0.2)
    assert again.memory.activations < 0.9 * whole.memory.activations


def test_the_horizon_is_what_lightning_takes(planned):
    for batch, portions in [(64, 1), (1, 1), (100, 2), (1437, 1), (718, 1)]:
        text = f"{DIGITS}model: linear\ntrain: {{batch_size: {batch}, gradient_accumulation: {portions}, epochs: 1}}\n"
        plan = planned(text, "train.limit_train_samples=201")
        experiment = build(plan)
        trainer = build_trainer(plan)
        trainer.fit(experiment.module, ChunkLoader(experiment.batches["train"], plan.length.steps))
        assert trainer.global_step == plan.length.steps == plan.length.steps_per_epoch


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("expect: {test/acuracy: '>= 0.9'}\n", 4, "did you mean test/accuracy"),
        ("expect:\n  train/accuracy: '>= 0.9'\n", 5, "no metric train/accuracy"),
        ("expect:\n  plan/parameter: 3\n", 5, "did you mean plan/parameters"),
        ("regularize:\n  early_stopping:\n    monitor: val/f1\n", 6, "no metric val/f1"),
    ],
)
def test_a_metric_that_never_exists_is_an_error_at_its_line(written, section, line, words):
    (found,) = refused(written(f"{DIGITS}model: linear\n{section}"))
    assert (found.line, found.file) == (line, str(written(f"{DIGITS}model: linear\n{section}")))
    assert words in found.message


def test_without_a_test_split_nothing_can_be_claimed_of_it(written):
    text = "task: classification\ndata: {source: {sklearn: digits}, split: {test: 0}}\nmodel: linear\n"
    make(load(written(text)))
    (found,) = refused(written(text + "expect: {test/accuracy: '>= 0.9'}\n"))
    assert (found.line, "no metric test/accuracy" in found.message) == (4, True)


def test_all_contradictions_are_told_at_once(written):
    text = (
        DIGITS
        + "model: linear\nexpect:\n  test/x: 1\n  val/y: 2\nregularize: {early_stopping: {monitor: val/z, mode: min}}\n"
    )
    assert {d.line for d in refused(written(text))} == {5, 6, 7}


def test_a_shape_error_points_at_the_layer(written):
    layers = ["relu", "{conv: {channels: 4, kernel: 3}}", "{conv: {channels: 4, kernel: 9}}"]
    text = DIGITS + "model:\n  layers:\n" + "".join(f"    - {layer}\n" for layer in layers)
    (found,) = refused(written(text))
    assert found.line == 7
    assert found.path.startswith("model")
    assert "conv" in found.source_line and "9" in found.message


def test_a_model_that_does_not_end_as_the_task_needs(written):
    (found,) = refused(
        written(
            "task: {type: classification, head: none}\ndata: {source: {sklearn: digits}}\nmodel: {mlp: {hidden: [7]}}\n"
        )
    )
    assert found.line == 3
    assert "needs an output of 10" in found.message and "ends in 7" in found.message


@pytest.mark.parametrize(
    ("task", "line", "word"),
    [
        ("task:\n  type: classification\n  loss: huber\n", 3, "huber"),
        ("task:\n  type: classification\n  metrics: [r2]\n", 3, "r2"),
        ("task:\n  type: regression\n  loss: cross_entropy\n", 3, "cross_entropy"),
    ],
)
def test_a_loss_or_metric_that_is_unfit_for_the_target(written, task, line, word):
    source = "diabetes" if "regression" in task else "digits"
    (found,) = refused(written(f"{task}data: {{source: {{sklearn: {source}}}}}\nmodel: linear\n"))
    assert word in found.message
    assert found.line == line


def test_checking_needs_no_data_but_uses_what_is_remembered(written, monkeypatch, tmp_path):
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    path = written(DIGITS + "model: linear\nexpect: {test/nothing: 1}\n")
    first = validate_file(path)
    assert (first.shapes_checked, first.diagnostics) == (False, ())
    refused(path)
    second = validate_file(path)
    assert second.shapes_checked and [d.line for d in second.diagnostics] == [4]


def test_facts_of_the_plan_are_those_of_the_data(planned):
    plan = planned(DIGITS + "model: linear\n")
    made = prepare(plan.recipe.data, plan.base, "classes")
    assert made.facts == plan.facts
    assert plan.network_facts.fields["image"].dtype == "float32"
