"""Initialization of a network: which initializer and which gain reach which layer."""

import math

import pytest
import torch

from dlx.initializers import Initializer
from dlx.layers import Layer
from dlx.models import initialize
from dlx.tensors import TensorSpec

FLAT = TensorSpec((7,), "F")


def initialized(layers: list[object], default: object, x: TensorSpec = FLAT) -> torch.nn.Module:
    torch.manual_seed(0)
    tree = Layer.model_validate(layers)
    module = tree.build(x)
    initialize(module, tree, x, None if default is None else Initializer.model_validate(default))
    return module


def weights(module: torch.nn.Module) -> list[float]:
    """Return the first weight of each matrix in the module."""
    return [p.flatten()[0].item() for p in module.parameters() if p.ndim >= 2]


def test_initialize_without_initializer_leaves_weights_alone() -> None:
    torch.manual_seed(0)
    expected = torch.nn.Linear(7, 3).weight
    assert torch.equal(initialized([{"linear": 3}], None)[0].weight, expected)


def test_initialize_prefers_a_layers_own_then_the_nearest_around_it_then_the_models() -> None:
    layers = [
        {"linear": 3},
        {
            "type": "sequential",
            "init": {"constant": 2.0},
            "layers": [{"linear": 3}, [{"linear": {"features": 3, "init": {"constant": 3.0}}}]],
        },
        {"repeat": {"times": 2, "layer": [{"linear": 3}], "init": {"constant": 4.0}}},
    ]
    assert weights(initialized(layers, {"constant": 1.0})) == [1, 2, 3, 4, 4]


def test_initialize_zeroes_biases_and_leaves_norms_alone() -> None:
    module = initialized([{"linear": 3}, "batch_norm"], {"constant": 5.0})
    assert (module[0].bias == 0).all()
    assert (module[1].weight == 1).all()


def test_initialize_uses_the_gain_of_the_activation_that_follows() -> None:
    wide = TensorSpec((600,), "F")
    layers = [{"linear": 600}, "batch_norm", "relu", {"linear": 600}, {"linear": 600}, "tanh"]
    module = initialized(layers, "kaiming_normal", wide)
    gains = [module[i].weight.std().item() * math.sqrt(600) for i in (0, 3, 4)]
    assert gains == pytest.approx([math.sqrt(2), 1.0, 5 / 3], rel=0.02)
