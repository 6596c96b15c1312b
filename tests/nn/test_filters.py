"""Filters of the first layer, as they are drawn."""

import torch
from torch import nn

from dlx.nn.filters import first_filters
from dlx.tensors import TensorSpec


def test_filters_are_the_weights_of_the_first_layer(tmp_path):
    image = TensorSpec((1, 8, 8), "CHW")
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 2))
    filters = first_filters(linear, image)
    assert filters.shape == (5, 1, 8, 8) and filters.min() >= 0 and filters.max() <= 1
    weight = linear[1].weight[0].view(8, 8)
    assert torch.allclose(filters[0, 0], 0.5 + 0.5 * weight / weight.abs().max())
    assert first_filters(nn.Conv2d(1, 3, 5), image).shape == (3, 1, 5, 5)
    assert first_filters(nn.Conv2d(1, 3, 1), image) is None
    assert first_filters(nn.Linear(4, 3), TensorSpec((4,), "F")) is None
