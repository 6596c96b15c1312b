"""Every layer: its documentation is true, and what it says of itself without torch is what torch reports."""

import functools
import math

import pytest
import torch
import yaml
from layer_inputs import BATCH, TABLE, TOLD, built, run, sample
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dlx.component import leaf_class, types
from dlx.engine.build.experiment import channels_last
from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.tensors import TensorSpec, context_of

CANDIDATES = (
    TensorSpec((4, 9, 8), "CHW"),
    TensorSpec((16,), "F"),
    TensorSpec((6, 16), "TF"),
    TensorSpec((4, 11), "CL"),
    TensorSpec((4, 5, 6, 7), "CDHW"),
    TensorSpec((6,), "T", dtype="int64", vocab=(5,)),
    TABLE,
    TensorSpec((6, 16), "TF", context={"memory": TensorSpec((5, 12), "TF"), "mask": TensorSpec((6,), "T", "bool")}),
    TensorSpec((16,), "F", context=TOLD),
    TensorSpec((4, 4, 4), "CHW", context=TOLD),
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


def worth_trying(layer, x):
    """A conditioned input is for the layers that read what it is told."""
    return accepts(layer, x) and ("time" not in context_of(x) or not accepts(layer, x.replace(context={})))


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
    pytest.param(name, i, id=f"{name}-{getattr(x, 'axes', 'table')}{'-' * bool(context_of(x))}")
    for name in types("layers")
    for i, x in enumerate(CANDIDATES)
    if worth_trying(Layer.model_validate(example(name)), x)
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


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_shape_multiply_adds_and_gradients_are_what_torch_computes(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    torch.manual_seed(0)
    module, inputs = layer.build(x), sample(x)
    floats = [t.requires_grad_() for t in outputs(inputs) if t.is_floating_point()]
    counting = FlopCounterMode(display=False)  # does not see into mkldnn's LSTM and the fused attention of a CPU
    with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH), counting as counter:
        y = run(module, inputs, x)
    assert counter.get_total_flops() == 2 * BATCH * layer.cost(x).macs
    for promised, given in zip(outputs(layer.shape(x)), outputs(y), strict=True):
        assert promised.dims == tuple(given.shape[1:])
        assert promised.dtype == str(given.dtype).removeprefix("torch.")
    beside = [getattr(part, "auxiliary_output", None) for part in module.modules()]
    learning = [t for t in [*outputs(y), *beside] if t is not None and t.requires_grad]
    if learning:
        sum(t.square().sum() for t in learning).backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    assert all(t.grad is None or torch.isfinite(t.grad).all() for t in floats)


@pytest.mark.parametrize(("name", "i"), [p for p in ACCEPTED if getattr(CANDIDATES[p.values[1]], "axes", "") == "CHW"])
def test_images_with_their_channels_last_give_the_same(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    module, batch = layer.build(x).eval(), sample(x)
    torch.manual_seed(0)  # what it is told is drawn
    expected = outputs(run(module, batch, x))
    channels_last(module)
    torch.manual_seed(0)
    found = outputs(run(module, batch.contiguous(memory_format=torch.channels_last), x))
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    if found[0].requires_grad:
        found[0].sum().backward()


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_a_built_layer_survives_its_state_dict(name, i):
    layer, x = Layer.model_validate(example(name)), CANDIDATES[i]
    first, second = layer.build(x).eval(), layer.build(x).eval()
    second.load_state_dict(first.state_dict())
    inputs = sample(x)
    torch.manual_seed(0)
    expected = outputs(run(first, inputs, x))
    torch.manual_seed(0)
    for a, b in zip(expected, outputs(run(second, inputs, x)), strict=True):
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


@pytest.mark.parametrize(
    ("spec", "x", "message"),
    [
        ({"conv": {"channels": 1, "kernel": 7}}, TensorSpec((1, 5, 5), "CHW"), "kernel 7 does not fit a 5×5 input"),
        (
            {"conv": {"channels": 1, "kernel": [9, 1], "padding": [1, 0]}},
            TensorSpec((1, 5, 4), "CHW"),
            "kernel 9×1 does not fit a 5×4 input (7×4 with its padding)",
        ),
        ({"max_pool": 4}, TensorSpec((1, 3), "CL"), "kernel 4 does not fit a 3 input"),
        ({"avg_pool": {"kernel": 2, "padding": 2}}, TensorSpec((1, 8, 8), "CHW"), "more than half of kernel 2×2"),
        ({"conv": {"channels": 3, "kernel": 1, "groups": 2}}, TensorSpec((4, 5, 5), "CHW"), "groups 2 does not divide"),
        (
            {"conv": {"channels": 3, "kernel": 4, "padding": "same"}},
            TensorSpec((4, 5, 5), "CHW"),
            "needs an odd kernel",
        ),
        ({"conv": {"channels": 3, "kernel": [1, 2, 3]}}, TensorSpec((4, 5, 5), "CHW"), "kernel has 3 entries"),
        ({"linear": 3}, TABLE, "numeric, categorical"),
        ("relu", TensorSpec((6,), "T", "int64", (5,)), "codes"),
        ({"field": "age"}, TABLE, "no field 'age'; there are numeric, categorical"),
        ({"reshape": [5, -1]}, TensorSpec((16,), "F"), "16 elements"),
        ({"pad": {"padding": 5, "mode": "reflect"}}, TensorSpec((1, 5, 9), "CHW"), "too small"),
        ("flatten", TensorSpec((None, 3), "TF"), "every dimension"),
        ({"group_norm": 3}, TensorSpec((4, 5, 5), "CHW"), "3 groups do not divide 4"),
        ({"maxout": 3}, TensorSpec((16,), "F"), "3 pieces do not divide 16"),
        ({"columns": {}}, TensorSpec((4,), "F"), "statistics"),
        ({"connected_conv": {"table": [[0], [4]], "kernel": 1}}, TensorSpec((4, 5, 5), "CHW"), "output channel 1"),
    ],
)
def test_a_shape_error_says_what_does_not_fit(spec, x, message):
    with pytest.raises(ShapeError) as error:
        Layer.model_validate(spec).shape(x)
    assert message in str(error.value)


BAD = {"conv": {"channels": 1, "kernel": 9}}


@pytest.mark.parametrize(
    ("spec", "loc"),
    [
        (["relu", BAD], ("layers", 1)),
        ([{"repeat": {"times": 2, "layer": ["relu", BAD]}}], ("layers", 0, "layer", "layers", 1)),
        ({"residual": {"layers": ["relu", [BAD]]}}, ("layers", 1, "layers", 0)),
        ({"residual": {"layers": ["relu"], "shortcut": BAD}}, ("shortcut",)),
        ({"residual": {"layers": ["relu"], "then": ["relu", BAD]}}, ("then", "layers", 1)),
        ({"branches": {"of": ["relu", ["relu", BAD]]}}, ("of", 1, "layers", 1)),
        ({"branches": {"join": "sum", "of": ["relu", {"max_pool": 2}]}}, ("of", 1)),
        ([{"a": "relu"}, {"a": "tanh"}], ("layers",)),
    ],
    ids=str,
)
def test_a_shape_error_points_to_the_layer(spec, loc):
    with pytest.raises(ShapeError) as error:
        Layer.model_validate(spec).shape(TensorSpec((1, 6, 6), "CHW"))
    assert error.value.loc == loc


@pytest.mark.parametrize(
    ("spec", "unknown"),
    [
        ({"stem": {"liner": 3}}, "liner"),
        ({"linaer": {"features": 3}}, "linaer"),
        ({"cnv": {"channels": 6, "kernel": 3}}, "cnv"),
        ({"stem": ["relu", {"stem2": "rellu"}]}, "rellu"),
    ],
)
def test_the_layer_that_does_not_exist_is_named(spec, unknown):
    with pytest.raises(ValueError, match=f"unknown layer '{unknown}'"):
        Layer.model_validate(spec)


@pytest.mark.parametrize("name", ["a.b", "0", "", "a b"])
def test_a_node_name_must_be_a_word(name):
    with pytest.raises(ValueError, match="pattern"):
        Layer.model_validate({"type": "relu", "name": name})


def test_names_are_in_the_state_dict():
    x = TensorSpec((3,), "F")
    module = built([{"stem": {"linear": 4}}, {"residual": {"layers": [{"inner": {"linear": 5}}]}}], x)
    assert set(module.state_dict()) == {
        f"{path}.{kind}" for path in ("stem", "1.layers.inner", "1.shortcut") for kind in ("weight", "bias")
    }
