"""Gains of activations, held against their second moments."""

import math

import pytest
import torch

from dlx.layers import Layer
from dlx.tensors import TensorSpec

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
