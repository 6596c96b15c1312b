"""Spectral normalization."""

import pytest
import torch

from dlx.layers import Layer
from dlx.tensors import TensorSpec


def test_spectral_norm_divides_by_the_largest_singular_value():
    for layer, x in (
        ({"linear": 6}, TensorSpec((9,), "F")),
        ({"conv": {"channels": 6, "kernel": 3}}, TensorSpec((2, 5, 5), "CHW")),
    ):
        module = Layer.model_validate({"spectral_norm": {"layer": layer, "n_power_iterations": 50}}).build(x).train()
        module(torch.randn(2, *x.dims))
        assert torch.linalg.matrix_norm(module.layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)
