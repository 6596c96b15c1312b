"""Every adapter: what it adds is what is priced, it begins as the network was, and nothing else learns."""

import pytest
import torch
from kit import example
from torch import nn

import dlx
from dlx.adapters import Adapter
from dlx.component import types
from dlx.engine.build.adapt import attach_adapters
from dlx.engine.build.experiment import build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import RecipeError
from dlx.layers import Layer
from dlx.tensors import TensorSpec

RECIPE = """
name: adapted
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: 16}, {batch_norm: {}}, relu, {linear: 8}]}
adapt: ADAPT
optimizer: {sgd: {lr: 0.5}}
train: {epochs: 1, batch_size: 64, limit_train_samples: 128, limit_val_samples: 32, limit_test_samples: 32}
hardware: {accelerator: cpu, num_threads: 1}
"""
every_adapter = pytest.mark.parametrize("name", types("adapters"))
STEPS = TensorSpec((5, 8), "TF")
BLOCK = [{"attention": {"num_heads": 2, "num_kv_heads": 1}}, {"linear": 6}]


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(adapt):
        (tmp_path / "r.yaml").write_text(RECIPE.replace("ADAPT", repr(adapt).replace("True", "true")))
        return "r.yaml"

    return write


def adapter(name, **fields):
    return Adapter.model_validate({**example("adapters", name), **fields})


def block():
    torch.manual_seed(0)
    tree = Layer.model_validate(BLOCK)
    return tree, tree.build(STEPS)


@every_adapter
def test_example_validates_and_round_trips(name):
    spec = adapter(name)
    assert spec.type == name
    assert Adapter.model_validate(spec.model_dump(mode="json", serialize_as_any=True)) == spec


@every_adapter
def test_the_first_output_is_that_of_the_network(name):
    tree, network = block()
    x = torch.randn(3, 5, 8)
    before = network(x)
    attach_adapters(network, adapter(name, **({} if name == "linear_probe" else {"layers": "*"})), tree, STEPS)
    assert torch.equal(network(x), before)


@every_adapter
def test_what_learns_is_what_is_priced(name, recipe):
    plan = dlx.plan.make(dlx.load(recipe(example("adapters", name))))
    (network,) = plan.networks.values()
    module = build_module(plan)
    trained = plan.recipe.adapt.is_trained
    learned = sum(p.numel() for n, p in module.networks["network"].named_parameters() if trained(n))
    assert learned == network.trainable_parameters == plan.quantities["plan/trainable_parameters"]
    everything = sum(p.numel() for p in module.networks.parameters())
    assert everything == network.num_parameters == plan.quantities["plan/parameters"]
    assert 0 < network.trainable_parameters < everything


@every_adapter
def test_nothing_else_learns(name, recipe):
    loaded = dlx.load(recipe(example("adapters", name)))
    start = build_module(dlx.plan.make(loaded)).state_dict()
    run = dlx.train("r.yaml", root="runs")
    end = load_checkpoint(run.checkpoint)["state_dict"]
    trained = loaded.recipe.adapt.is_trained
    changed = {n for n in start if n.startswith("networks.") and not torch.equal(start[n], end[n])}
    assert all(trained(n.removeprefix("networks.network.")) for n in changed)
    assert any("head" in n for n in changed)
    assert name == "linear_probe" or any("head" not in n for n in changed)


@pytest.mark.parametrize(
    "spec",
    [{"linear": 6}, {"attention": 2}, {"attention": {"num_heads": 4, "num_kv_heads": 2, "bias": False}}],
    ids=["linear", "attention", "grouped-query attention"],
)
def test_linear_maps_are_those_of_the_module(spec):
    layer = Layer.model_validate(spec)
    found = {n: m for n, m in layer.build(STEPS).named_modules() if isinstance(m, nn.Linear)}
    sizes = {n: (m.out_features, m.in_features, m.bias is not None) for n, m in found.items()}
    assert sizes == {n: tuple(size) for n, size in layer.linear_maps(STEPS).items()}


def test_cross_attention_reads_its_memory():
    memory = TensorSpec((3, 4), "TF")
    x = STEPS.replace(context={"memory": memory})
    layer = Layer.model_validate({"attention": {"num_heads": 2, "memory": "memory"}})
    found = {n: m for n, m in layer.build(x).named_modules() if isinstance(m, nn.Linear)}
    assert {n: (m.out_features, m.in_features) for n, m in found.items()} == {
        n: (size.outputs, size.inputs) for n, size in layer.linear_maps(x).items()
    }


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}])
def test_lora_is_that_of_the_peft_library(options):
    peft = pytest.importorskip("peft")
    tree = Layer.model_validate([{"inner": {"linear": 6}}])
    network = tree.build(STEPS)
    theirs = nn.Sequential()
    theirs.add_module("inner", nn.Linear(8, 6))
    theirs.load_state_dict({n.removeprefix("0."): v for n, v in network.state_dict().items()})
    config = peft.LoraConfig(r=2, lora_alpha=5, lora_dropout=0.0, target_modules=["inner"], **options)
    theirs = peft.get_peft_model(theirs, config).base_model.model.inner
    attach_adapters(network, adapter("lora", alpha=5, layers="*", **options), tree, STEPS)
    ours = network.get_submodule(next(n for n, m in network.named_modules() if isinstance(m, nn.Linear)))
    with torch.no_grad():
        ours.adapter.a_RI.normal_()
        ours.adapter.b_OR.normal_()
        theirs.lora_A["default"].weight.copy_(ours.adapter.a_RI)
        theirs.lora_B["default"].weight.copy_(ours.adapter.b_OR)
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(network(x), theirs(x))


def test_only_what_is_chosen_is_adapted():
    tree, _ = block()
    maps = adapter("lora", layers="*", layers_to_train=[]).linear_maps(tree, STEPS)
    attention, last = maps
    assert (set(maps[attention]), set(maps[last])) == ({"qkv", "out"}, {""})
    assert list(adapter("lora", layers=attention, layers_to_train=[]).linear_maps(tree, STEPS)) == [attention]
    assert list(adapter("lora", layers="*", layers_to_train=[last]).linear_maps(tree, STEPS)) == [attention]


@pytest.mark.parametrize(
    ("adapt", "message"),
    [
        ({"lora": {"layers": "bodi"}}, "no layer with weights is named 'bodi'"),
        ({"lora": {"layers": "body.2"}}, "no layer named 'body.2' has a linear map to adapt"),
        ({"linear_probe": {"layers_to_train": ["heat"]}}, "no layer with weights is named 'heat'"),
        ({"linear_probe": {"layers_to_train": []}}, "none of the network's own are to be trained"),
    ],
)
def test_what_adapts_nothing_is_refused_at_its_line(recipe, adapt, message):
    with pytest.raises(RecipeError, match=message) as error:
        dlx.plan.make(dlx.load(recipe(adapt)))
    assert "r.yaml:6:" in str(error.value)
