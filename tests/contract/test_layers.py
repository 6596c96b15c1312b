"""Every layer: its documentation is true, and what it says of itself without torch is what torch reports."""

import functools
import math

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dlx.component import leaf_class, types
from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.tensors import Stats, TensorSpec

BATCH = 2
STATS = Stats(
    mean=(0.0, 1.0, 2.0),
    std=(1.0, 2.0, 0.0),
    low=(-3.0, -5.0, 2.0),
    high=(3.0, 7.0, 2.0),
    quantiles=((-3.0, 0.0, 3.0), (-5.0, 1.0, 7.0), (2.0, 2.0, 2.0)),
    missing=(False, True, False),
)
TABLE = {
    "numeric": TensorSpec((3,), "F", stats=STATS),
    "categorical": TensorSpec((2,), "F", dtype="int64", vocab=(4, 7)),
}
CANDIDATES = (
    TensorSpec((4, 9, 8), "CHW"),
    TensorSpec((16,), "F"),
    TensorSpec((6, 16), "TF"),
    TensorSpec((4, 11), "CL"),
    TensorSpec((4, 5, 6, 7), "CDHW"),
    TensorSpec((6,), "T", dtype="int64", vocab=(5,)),
    TABLE,
)


@functools.cache
def example(name):
    return yaml.safe_load(leaf_class("layers", name).__doc__.partition("Example:")[2])


def accepts(layer, x):
    try:
        layer.shape(x)
    except ShapeError:
        return False
    return True


def sample(x, batch=BATCH):
    if not isinstance(x, TensorSpec):
        return {name: sample(field, batch) for name, field in x.items()}
    if x.is_float:
        return torch.randn(batch, *x.dims)
    return torch.stack([torch.randint(x.vocab[i % len(x.vocab)], (batch,)) for i in range(x.elements)], 1)


def outputs(y):
    """All (spec or tensor) leaves of a spec or of an output."""
    return (
        [part for value in y.values() for part in outputs(value)]
        if hasattr(y, "values") and not torch.is_tensor(y)
        else [y]
    )


def persistent(module):
    """Numbers in the checkpoint that are not trained."""
    trained = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return sum(t.numel() for name, t in module.state_dict().items() if name not in trained)


ACCEPTED = [
    pytest.param(name, i, id=f"{name}-{getattr(x, 'axes', 'table')}")
    for name in types("layers")
    for i, x in enumerate(CANDIDATES)
    if accepts(Layer.model_validate(example(name)), x)
]


@pytest.mark.parametrize("name", types("layers"))
def test_example_validates_round_trips_and_accepts_an_input(name):
    layer = Layer.model_validate(example(name))
    assert layer.type == name
    assert Layer.model_validate(layer.model_dump(mode="json", serialize_as_any=True)) == layer
    assert any(accepts(layer, x) for x in CANDIDATES)


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_cost_and_children_are_what_torch_builds(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    cost = layer.cost(x)
    with torch.device("meta"):
        module = layer.build(x)
    assert cost.parameters == sum(p.numel() for p in module.parameters())
    assert cost.buffers == persistent(module)
    for path, inner, inner_x in walk(layer, x):
        part = module.get_submodule(path)
        assert inner.cost(inner_x).parameters == sum(p.numel() for p in part.parameters()), path


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_shape_multiply_adds_and_gradients_are_what_torch_computes(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    torch.manual_seed(0)
    module, inputs = layer.build(x), sample(x)
    floats = [t.requires_grad_() for t in outputs(inputs) if t.is_floating_point()]
    with FlopCounterMode(display=False) as counter:
        y = module(inputs)
    assert counter.get_total_flops() == 2 * BATCH * layer.cost(x).macs
    for promised, given in zip(outputs(layer.shape(x)), outputs(y), strict=True):
        assert promised.dims == tuple(given.shape[1:])
        assert promised.dtype == str(given.dtype).removeprefix("torch.")
    learning = [t for t in outputs(y) if t.requires_grad]
    if learning:
        sum(t.square().sum() for t in learning).backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    assert all(t.grad is None or torch.isfinite(t.grad).all() for t in floats)


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_a_built_layer_survives_its_state_dict(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    first, second = layer.build(x).eval(), layer.build(x).eval()
    second.load_state_dict(first.state_dict())
    inputs = sample(x)
    for a, b in zip(outputs(first(inputs)), outputs(second(inputs)), strict=True):
        assert torch.equal(a, b)


GAINS = ["elu", {"elu": 0.5}, "gelu", "silu", "mish", "softplus", "hardswish", "relu", {"leaky_relu": 0.3}, "prelu"]


@pytest.mark.parametrize("spec", GAINS, ids=str)
def test_gain_is_the_inverse_root_of_the_second_moment(spec):
    layer, x = Layer.model_validate(spec), TensorSpec((1,), "F")
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    moment = (layer.build(x).double()(z[:, None])[:, 0].square() * density).sum()
    assert layer.gain() == pytest.approx(moment.item() ** -0.5, rel=1e-3)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "selu"])
def test_gain_is_torchs_where_torch_has_one(name):
    assert Layer.model_validate(name).gain() == pytest.approx(torch.nn.init.calculate_gain(name))
