"""Random networks of the layer language: what a plan accepts is built as it is priced, and takes a training step."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import example
from layer_inputs import CONDITIONS, TABLE, sample
from pydantic import ValidationError

from dlx.component import types
from dlx.errors import ShapeError
from dlx.layers import Layer, infer_shape
from dlx.nn.context import apply
from dlx.tensors import TensorSpec, context_of, with_context

STEPS, BATCH = 5, 3
MASK = {"mask": TensorSpec((None,), "T", "bool")}
INPUTS = {
    "features": TensorSpec((8,), "F"),
    "sequence": TensorSpec((6, 8), "TF"),
    "padded sequence": TensorSpec((None, 8), "TF", context=MASK),
    "signal": TensorSpec((4, 12), "CL"),
    "image": TensorSpec((4, 8, 8), "CHW"),
    "volume": TensorSpec((2, 6, 6, 6), "CDHW"),
    "tokens": TensorSpec((6,), "T", "int64", vocab=(5,)),
    "padded tokens": TensorSpec((None,), "T", "int64", vocab=(5,), context=MASK),
    "conditioned image": TensorSpec((4, 4, 4), "CHW", context=CONDITIONS),
    "conditioned features": TensorSpec((8,), "F", context=CONDITIONS),
    "table": TABLE,
}
VARIANTS = [
    {"linear": 8},
    {"gru": {"hidden": 8, "output": "last"}},
    {"lstm": {"hidden": 4, "bidirectional": True}},
    {"conv": {"channels": 4, "kernel": 3, "stride": 2}},
    {"conv_transpose": {"channels": 4, "kernel": 3, "groups": 2}},
    {"time_pool": "last"},
    {"reshape": [4, 2]},
    {"reshape": {"dims": [2, 4], "axes": "CL"}},
    {"reshape": [2, 2, 2]},
    {"attention": {"num_heads": 2}},
    {"attention": {"num_heads": 2, "memory": "memory"}},
    {"attention": {"num_heads": 1, "memory": "memory"}},
]
LEAVES = [Layer.model_validate(spelling) for spelling in [example("layers", n) for n in types("layers")] + VARIANTS]
MAX_ELEMENTS = 5_000


def fits(layer, x):
    """Return what comes out of a layer, None where a plan refuses it or it becomes large."""
    try:
        y = infer_shape((), layer, x)
    except ShapeError:
        return None
    return y if isinstance(y, TensorSpec) and y.elements <= MAX_ELEMENTS else None


def draw_layers(draw, x, depth, most=3):
    """Draw layers of which each fits what comes before it."""
    layers = []
    for _ in range(draw(st.integers(1, most))):
        layer = draw_layer(draw, x, depth)
        y = None if layer is None else fits(layer, x)
        if y is None:
            break
        layers, x = [*layers, layer], y
    return layers


def draw_layer(draw, x, depth):
    """Draw a layer for this input: a single one, or one that holds others, which may be refused."""
    kind = draw(st.sampled_from(sorted(HOLDERS))) if depth and draw(st.integers(0, 2)) == 0 else None
    if kind is not None:
        return HOLDERS[kind](draw, x, depth - 1)
    known = [leaf for leaf in LEAVES if fits(leaf, x) is not None]
    return draw(st.sampled_from(known)) if known else None


def hold(spelling):
    """Return the layer, None where something is missing in it."""
    try:
        return Layer.model_validate(spelling)
    except ValidationError:
        return None


def draw_residual(draw, x, depth):
    then = draw(st.sampled_from([None, "relu", "mask"]))
    return hold({"residual": {"layers": draw_layers(draw, x, depth), "then": then}})


def draw_branches(draw, x, depth):
    of = [draw_layers(draw, x, depth) for _ in range(2)]
    return hold({"branches": {"of": of, "join": draw(st.sampled_from(["concat", "sum", "product"]))}})


def draw_provide(draw, x, depth):
    made = draw_layers(draw, x, depth)
    y = fits(Layer.model_validate(made), x)
    if y is None:
        return None
    scope = dict(context_of(x)) | {"memory": y.replace(context={})}
    return hold(
        {"provide": {"key": "memory", "layers": made, "then": draw_layers(draw, with_context(x, scope), depth)}}
    )


def draw_repeat(draw, x, depth):
    return hold({"repeat": {"times": 2, "layer": draw_layers(draw, x, depth)}})


def draw_pixels(draw, x, depth):
    if not isinstance(x, TensorSpec) or x.axes != "CHW":
        return None
    steps = TensorSpec((x.dims[1] * x.dims[2], x.dims[0]), "TF", context=x.context)
    return hold({"pixel_sequence": draw_layers(draw, steps, depth)})


def draw_experts(draw, x, depth):
    if not isinstance(x, TensorSpec) or x.axes not in ("F", "TF"):
        return None
    expert = draw_layers(draw, TensorSpec(x.dims[-1:], "F"), depth)
    return hold({"mixture_of_experts": {"num_experts": 2, "top_k": 1, "expert": expert}})


def draw_normed(draw, x, depth):
    inner = draw_layer(draw, x, 0)
    return None if inner is None else hold({"spectral_norm": {"layer": inner}})


HOLDERS = {
    "residual": draw_residual,
    "branches": draw_branches,
    "provide": draw_provide,
    "repeat": draw_repeat,
    "pixel_sequence": draw_pixels,
    "mixture_of_experts": draw_experts,
    "spectral_norm": draw_normed,
}


@st.composite
def networks(draw):
    """Draw an input and a network for it."""
    x = INPUTS[draw(st.sampled_from(sorted(INPUTS)))]
    return x, Layer.model_validate(draw_layers(draw, x, depth=2, most=6))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks())
def test_what_a_plan_accepts_is_built_as_it_is_priced_and_takes_a_step(drawn):
    x, layer = drawn
    with torch.device("meta"):
        module = layer.build(x)
    assert sum(p.numel() for p in module.parameters()) == layer.cost(x).parameters
    trained = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    assert sum(t.numel() for n, t in module.state_dict().items() if n not in trained) == layer.cost(x).buffers
    take_a_step(layer, x)


def take_a_step(layer, x):
    torch.manual_seed(0)
    module, given_x = layer.build(x).train(), real_length(x)
    y = apply(module, sample(given_x, BATCH), {name: sample(v, BATCH) for name, v in context_of(given_x).items()})
    promised = infer_shape((), layer, x)
    if not isinstance(promised, TensorSpec):
        return  # nothing was drawn that reads the table
    assert [d for d, n in zip(y.shape[1:], promised.dims, strict=True) if n is not None and d != n] == []
    if y.requires_grad:
        optimizer = torch.optim.SGD(module.parameters(), lr=1e-3) if list(module.parameters()) else None
        y.square().mean().backward()
        if optimizer is not None:
            optimizer.step()


def real_length(x):
    """Return the spec of a batch, in which sequences have a length."""
    if not isinstance(x, TensorSpec):
        return x
    context = {name: real_length(value) for name, value in x.context.items()}
    return with_context(x.replace(dims=tuple(STEPS if d is None else d for d in x.dims)), context)


REFUSED = {
    "a recurrent layer": ({"spectral_norm": {"layer": {"gru": 4}}}, "sequence", "one matrix of weights"),
    "attention": ({"spectral_norm": {"layer": {"attention": {"num_heads": 2}}}}, "sequence", "one matrix of weights"),
    "a normalized filter": (
        {"spectral_norm": {"layer": {"causal_conv": {"features": 4, "kernel": 2}}}},
        "sequence",
        "one matrix of weights",
    ),
    "several layers": ({"spectral_norm": {"layer": [{"linear": 4}]}}, "features", "one matrix of weights"),
    "batch_norm in an expert": (
        {"mixture_of_experts": {"expert": [{"linear": 8}, {"residual": ["batch_norm"]}]}},
        "sequence",
        "batch_norm measures a batch, but an expert may get a single step",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_trained_is_refused_at_its_place(name):
    spelling, x, message = REFUSED[name]
    with pytest.raises(ShapeError, match=message) as error:
        infer_shape((), Layer.model_validate(spelling), INPUTS[x])
    assert error.value.loc in (("layer",), ("expert",))
