"""Every model: its example validates, promises what it delivers, and trains in all of its parameters."""

import pytest
import torch
from kit import example
from model_inputs import BATCH, INPUTS, sample
from torch import nn

from dlx.component import leaf_class, types
from dlx.engine.build.experiment import to_channels_last
from dlx.errors import ShapeError
from dlx.models import Model
from dlx.nn.context import apply
from dlx.tensors import TensorSpec, context_of

MODELS = types("models")


def fits(model: Model, x: object) -> bool:
    try:
        model.tree(x).shape(x)
    except ShapeError:
        return False
    return True


def worth_trying(model: Model, x: object) -> bool:
    """A conditioned input is for the models that read its context."""
    return fits(model, x) and ("time" not in context_of(x) or not fits(model, x.replace(context={})))


def run(module: nn.Module, x: object) -> torch.Tensor:
    return apply(module, sample(x), {name: sample(value) for name, value in context_of(x).items()})


FITTING = [
    pytest.param(name, x, id=f"{name}-{what}")
    for name in MODELS
    for what, x in INPUTS.items()
    if worth_trying(Model.model_validate(example("models", name)), x)
]


@pytest.mark.parametrize("name", MODELS)
def test_example_validates_and_round_trips(name: str) -> None:
    model = Model.model_validate(example("models", name))
    assert type(model) is leaf_class("models", name) and model.type == name
    assert Model.model_validate(model.model_dump(mode="json", serialize_as_any=True)) == model


@pytest.mark.parametrize("name", MODELS)
def test_fits_some_input(name: str) -> None:
    assert any(fits(Model.model_validate(example("models", name)), x) for x in INPUTS.values())


@pytest.mark.parametrize(("name", "x"), FITTING)
def test_delivers_the_promised_shape_and_cost(name: str, x: object) -> None:
    tree = Model.model_validate(example("models", name)).tree(x)
    module = tree.build(x)
    output = run(module.eval(), x)
    assert output.shape == (BATCH, *tree.shape(x).dims)
    assert output.isfinite().all()
    assert sum(p.numel() for p in module.parameters()) == tree.cost(x).parameters


@pytest.mark.parametrize(("name", "x"), FITTING)
def test_every_parameter_gets_a_gradient(name: str, x: object) -> None:
    torch.manual_seed(0)
    tree = Model.model_validate(example("models", name)).tree(x)
    module = tree.build(x)
    for _ in range(5):  # a code or a relu that one batch does not reach, another does
        output = run(module, x)
        if output.requires_grad:
            (output * torch.randn_like(output)).sum().backward()
    for path, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize(("name", "x"), [p for p in FITTING if getattr(p.values[1], "axes", "") == "CHW"])
def test_images_with_their_channels_last_give_the_same(name: str, x: TensorSpec) -> None:
    module = Model.model_validate(example("models", name)).tree(x).build(x).double().eval()
    batch = sample(x).double()
    context = {name: sample(value) for name, value in x.context.items()}
    context = {name: value.double() if value.is_floating_point() else value for name, value in context.items()}
    expected = apply(module, batch, context)
    to_channels_last(module)
    found = apply(module, batch.contiguous(memory_format=torch.channels_last), context)
    torch.testing.assert_close(found, expected)
    if found.requires_grad:
        found.sum().backward()


@pytest.mark.parametrize("name", MODELS)
def test_the_architecture_can_be_pasted_into_a_recipe(name: str) -> None:
    """What a model makes is a list of layers that `layers` takes as it is, and that survives being written down."""
    model = Model.model_validate(example("models", name))
    x = next(x for x in INPUTS.values() if fits(model, x))
    written = model.tree(x).model_dump(mode="json", serialize_as_any=True)["layers"]
    pasted = Model.model_validate({"type": "layers", "layers": written})
    assert pasted.tree(x).cost(x) == model.tree(x).cost(x)
    assert pasted.tree(x).shape(x) == model.tree(x).shape(x)
