"""Norms, activations, dropout and radial basis functions, held against their formulas."""

import pytest
import torch
from layer_inputs import built, sample

from dlx.tensors import TensorSpec


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("x", [TensorSpec((6, 4, 5), "CHW"), TensorSpec((5, 6), "TF")], ids=lambda x: x.axes)
def test_norms_over_the_features_of_a_position(kind, x):
    inputs = 3 * sample(x) + 2
    axis = 1 if x.axes == "CHW" else 2
    mean = inputs.mean(axis, keepdim=True) if kind == "layer_norm" else 0
    expected = (inputs - mean) / (inputs - mean).square().mean(axis, keepdim=True).sqrt()
    assert torch.allclose(built(kind, x)(inputs), expected, atol=1e-4)


def test_norms_of_a_sequence_are_by_feature():
    x, inputs = TensorSpec((5, 6), "TF"), 3 * torch.randn(4, 5, 6) + 2
    over_batch = (inputs - inputs.mean((0, 1))) / inputs.std((0, 1), correction=0)
    over_time = (inputs - inputs.mean(1, keepdim=True)) / inputs.std(1, correction=0, keepdim=True)
    assert torch.allclose(built("batch_norm", x)(inputs), over_batch, atol=1e-4)
    assert torch.allclose(built("instance_norm", x)(inputs), over_time, atol=1e-4)


def test_features_of_a_sequence_have_their_own_slopes_and_scales():
    x, inputs = TensorSpec((5, 3), "TF"), torch.randn(4, 5, 3)
    module, slopes = built({"prelu": "feature"}, x), torch.tensor([0.1, 0.2, 0.3])
    module.weight.data = slopes
    assert torch.allclose(module(inputs), torch.where(inputs > 0, inputs, inputs * slopes))
    module = built({"scale": {"factor": 2.0, "learn": "feature"}}, TensorSpec((3, 4, 4), "CHW"))
    assert torch.equal(module(torch.ones(1, 3, 4, 4)), 2 * torch.ones(1, 3, 4, 4))
    assert module.weight.shape == (3,)


def test_rbf_is_minus_the_squared_distance():
    prototypes = [[1.0, -1.0, 1.0], [0.0, 0.0, 2.0]]
    module = built({"rbf": {"features": 2, "prototypes": prototypes}}, TensorSpec((3,), "F"))
    inputs = torch.randn(5, 3)
    assert torch.allclose(module(inputs), -torch.cdist(inputs, torch.tensor(prototypes)).square(), atol=1e-5)
    assert not list(module.parameters())


@pytest.mark.parametrize(("kind", "below"), [("heaviside", 0.0), ("sign", -1.0)])
def test_jumps_have_two_levels_and_the_gradient_that_is_asked_for(kind, below):
    x, values = TensorSpec((4,), "F"), [[-2.0, -0.5, 0.0, 2.0]]
    for gradient, expected in (("straight_through", [[0.0, 1.0, 1.0, 0.0]]), ("zero", [[0.0] * 4])):
        inputs = torch.tensor(values, requires_grad=True)
        y = built({"type": kind, "gradient": gradient}, x)(inputs)
        y.sum().backward()
        assert y.tolist() == [[below, below, 1.0, 1.0]]
        assert inputs.grad.tolist() == expected


def test_dropout_is_off_in_evaluation_and_spatial_dropout_drops_channels():
    images = torch.ones(50, 8, 3, 3)
    module = built({"spatial_dropout": 0.5}, TensorSpec((8, 3, 3), "CHW"))
    by_channel = module(images).flatten(2)
    assert ((by_channel == 0).all(2) | (by_channel == 2).all(2)).all()
    assert 0.4 < (by_channel == 0).float().mean() < 0.6
    assert torch.equal(module.eval()(images), images)
