"""Layers of conditional networks, against formulas written out by hand."""

import math

import pytest
import torch
from layer_inputs import built

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import TensorSpec

TIME, LABEL = TensorSpec((), ""), TensorSpec((), "", "int64", vocab=(5,))


def test_time_becomes_sines_and_cosines_of_rates_from_one_to_a_ten_thousandth():
    layer = built({"time_embedding": 6}, TensorSpec((2,), "F", context={"time": TIME}))
    found = layer(torch.zeros(2, 2), {"time": torch.tensor([0.0, 3.0])})
    angles = [3.0, 3.0 / 100, 3.0 / 10000]
    expected = [[0.0] * 3 + [1.0] * 3, [math.sin(a) for a in angles] + [math.cos(a) for a in angles]]
    assert torch.allclose(found, torch.tensor(expected), atol=1e-6)


@pytest.mark.parametrize("dims", [(4,), (3, 4), (4, 2, 2)])
@pytest.mark.parametrize("scale", [True, False])
def test_film_scales_and_shifts_each_feature(dims, scale):
    axes = {1: "F", 2: "TF", 3: "CHW"}[len(dims)]
    x = TensorSpec(dims, axes, context={"c": TensorSpec((3,), "F")})
    layer, c, values = built({"film": {"key": "c", "scale": scale}}, x), torch.randn(2, 3), torch.randn(2, *dims)
    rows = c @ layer.linear.weight.T + layer.linear.bias
    shape = {"F": (2, 4), "TF": (2, 1, 4), "CHW": (2, 4, 1, 1)}[axes]
    expected = values * (1 + rows[:, :4].reshape(shape)) + rows[:, 4:].reshape(shape) if scale else None
    expected = values + rows.reshape(shape) if expected is None else expected
    assert torch.allclose(layer(values, {"c": c}), expected, atol=1e-6)


def test_pixels_are_steps_row_by_row():
    x = TensorSpec((3, 2, 4), "CHW")
    layer, values = built({"pixel_sequence": [{"linear": 5}]}, x), torch.randn(2, 3, 2, 4)
    (linear,) = layer.layers
    expected = torch.einsum("gc,bchw->bghw", linear.weight, values) + linear.bias[:, None, None]
    assert torch.allclose(layer(values), expected, atol=1e-6)
    with pytest.raises(ShapeError, match="keep its 8 steps"):
        Layer.model_validate({"pixel_sequence": ["time_pool"]}).shape(x)


@pytest.mark.parametrize("name", ["time_embedding", "label_embedding"])
def test_what_is_not_in_scope_is_named(name):
    with pytest.raises(ShapeError, match="nothing provides"):
        Layer.model_validate({name: 4}).shape(TensorSpec((2,), "F"))


@pytest.mark.parametrize(
    ("model", "dims", "axes"),
    [({"denoiser_mlp": {"hidden": 8}}, (2,), "F"), ({"denoiser_unet": [8, 16]}, (1, 8, 8), "CHW")],
)
@pytest.mark.parametrize("names", [("time",), ("time", "label")])
def test_a_denoiser_reads_its_whole_context(model, dims, axes, names):
    specs = {"time": TIME, "label": LABEL}
    x = TensorSpec(dims, axes, context={name: specs[name] for name in names})
    torch.manual_seed(0)
    network, values = Model.model_validate(model).tree(x).build(x), torch.randn(1, *dims)
    context = {"time": torch.tensor([10.0]), "label": torch.tensor([1])}
    before = network(values, context)
    for name in names:
        assert not torch.allclose(before, network(values, {**context, name: context[name] * 2 + 1}), atol=1e-4)
