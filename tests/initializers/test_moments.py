"""Initializers have the moments that their formulas promise."""

import math

import pytest
import torch

from dlx.initializers import Initializer
from dlx.layers import Layer
from dlx.models import initialize
from dlx.tensors import TensorSpec

FAN_IN, FAN_OUT, GAIN = 300, 200, 1.7


def filled(spec, shape=(FAN_OUT, FAN_IN), gain=GAIN):
    torch.manual_seed(0)
    weight = torch.full(shape, torch.nan)
    Initializer.model_validate(spec).fill(weight, gain)
    return weight


@pytest.mark.parametrize(
    ("spec", "std", "bound"),
    [
        (
            {"xavier_uniform": "auto"},
            GAIN * math.sqrt(2 / (FAN_IN + FAN_OUT)),
            GAIN * math.sqrt(6 / (FAN_IN + FAN_OUT)),
        ),
        ("xavier_normal", math.sqrt(2 / (FAN_IN + FAN_OUT)), None),
        ("xavier_uniform", math.sqrt(2 / (FAN_IN + FAN_OUT)), math.sqrt(6 / (FAN_IN + FAN_OUT))),
        ({"xavier_normal": 0.5}, 0.5 * math.sqrt(2 / (FAN_IN + FAN_OUT)), None),
        ({"xavier_normal": "auto"}, GAIN * math.sqrt(2 / (FAN_IN + FAN_OUT)), None),
        ("kaiming_uniform", GAIN / math.sqrt(FAN_IN), GAIN * math.sqrt(3 / FAN_IN)),
        ("kaiming_normal", GAIN / math.sqrt(FAN_IN), None),
        ({"kaiming_normal": {"mode": "fan_out"}}, GAIN / math.sqrt(FAN_OUT), None),
        ({"kaiming_uniform": {"mode": "fan_out"}}, GAIN / math.sqrt(FAN_OUT), GAIN * math.sqrt(3 / FAN_OUT)),
        ("lecun_normal", 1 / math.sqrt(FAN_IN), None),
        ("lecun_uniform", 1 / math.sqrt(FAN_IN), math.sqrt(3 / FAN_IN)),
        ({"normal": 0.3}, 0.3, None),
        ({"uniform": {"low": -0.3, "high": 0.3}}, 0.3 / math.sqrt(3), 0.3),
    ],
)
def test_moments_follow_the_papers(spec, std, bound):
    weight = filled(spec)
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=0.02 * std)
    if bound is None:
        assert weight.abs().max() > 3 * std
    else:
        assert 0.99 * bound < weight.abs().max() <= bound * 1.0001


def test_orthogonal_rows_have_the_length_of_the_gain():
    weight = filled("orthogonal", (20, 30))
    assert torch.allclose(weight @ weight.T, GAIN**2 * torch.eye(20), atol=1e-5)


def test_constants_and_the_mean_of_a_normal():
    assert (filled("zeros") == 0).all()
    assert (filled({"constant": 0.5}) == 0.5).all()
    assert filled({"normal": {"std": 0.1, "mean": 2.0}}).mean().item() == pytest.approx(2, abs=0.01)


def test_he_normal_keeps_the_variance_through_relu_layers():
    torch.manual_seed(0)
    x = torch.randn(256, 500)
    for _ in range(10):
        weight = torch.empty(500, 500)
        Initializer.model_validate("kaiming_normal").fill(weight, math.sqrt(2))
        x = torch.relu(x @ weight.T)
    assert x.square().mean().item() == pytest.approx(1, rel=0.3)


def test_a_gain_is_a_number_or_auto():
    with pytest.raises(ValueError, match="should be auto, or a positive number"):
        Initializer.model_validate({"xavier_normal": "tanh"})


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match="not below"):
        Initializer.model_validate({"uniform": {"low": 1.0, "high": 0.0}})


def test_a_sparse_convolution_counts_the_inputs_that_each_output_has():
    table = [[0, 1, 2, 3, 4, 5, 6, 7]] * 40 + [[3, 5]] * 40
    x = TensorSpec((8, 12, 12), "CHW")
    layer = Layer.model_validate({"connected_conv": {"table": table, "kernel": 5}})
    torch.manual_seed(0)
    module = layer.build(x)
    initialize(module, layer, x, Initializer.model_validate("kaiming_normal"))
    many, few = module.weight[: 40 * 8], module.weight[40 * 8 :]
    assert many.std().item() == pytest.approx(1 / math.sqrt(8 * 25), rel=0.05)
    assert few.std().item() == pytest.approx(1 / math.sqrt(2 * 25), rel=0.05)
    assert not module.bias.any()
    assert module(torch.randn(64, *x.dims)).std().item() == pytest.approx(1.0, rel=0.05)
