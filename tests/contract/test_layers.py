"""Every layer: its documentation is true, and its plan is what torch reports."""

import pytest
import torch
from kit import example
from layer_inputs import BATCH, CONDITIONS, TABLE, run, sample
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dlx.component import types
from dlx.engine.build.experiment import to_channels_last
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
    TensorSpec((16,), "F", context=CONDITIONS),
    TensorSpec((4, 4, 4), "CHW", context=CONDITIONS),
)


def accepts(layer, x):
    try:
        layer.shape(x)
    except ShapeError:
        return False
    return True


def worth_trying(layer, x):
    """A conditioned input is for the layers that read its context."""
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
    if worth_trying(Layer.model_validate(example("layers", name)), x)
]


@pytest.mark.parametrize("name", types("layers"))
def test_example_validates_round_trips_and_accepts_an_input(name):
    layer = Layer.model_validate(example("layers", name))
    assert layer.type == name
    assert Layer.model_validate(layer.model_dump(mode="json", serialize_as_any=True)) == layer
    assert any(accepts(layer, x) for x in CANDIDATES)


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_cost_and_children_are_what_torch_builds(name, i):
    layer, x = Layer.model_validate(example("layers", name)), CANDIDATES[i]
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
    layer, x = Layer.model_validate(example("layers", name)), CANDIDATES[i]
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
    layer, x = Layer.model_validate(example("layers", name)), CANDIDATES[i]
    module, batch = layer.build(x).eval(), sample(x)
    torch.manual_seed(0)  # the context is random
    expected = outputs(run(module, batch, x))
    to_channels_last(module)
    torch.manual_seed(0)
    found = outputs(run(module, batch.contiguous(memory_format=torch.channels_last), x))
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    if found[0].requires_grad:
        found[0].sum().backward()


@pytest.mark.parametrize(("name", "i"), ACCEPTED)
def test_a_built_layer_survives_its_state_dict(name, i):
    layer, x = Layer.model_validate(example("layers", name)), CANDIDATES[i]
    first, second = layer.build(x).eval(), layer.build(x).eval()
    second.load_state_dict(first.state_dict())
    inputs = sample(x)
    torch.manual_seed(0)
    expected = outputs(run(first, inputs, x))
    torch.manual_seed(0)
    for a, b in zip(expected, outputs(run(second, inputs, x)), strict=True):
        assert torch.equal(a, b)
