"""Convolutions and pooling, held against torch for every window."""

import math

import pytest
import torch
from layer_inputs import built, sample

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import TensorSpec


def check_shape(spec, x):
    """Whether the layer accepts x; where it does, what it promises is what torch gives."""
    layer = Layer.model_validate(spec)
    try:
        promised = layer.shape(x)
    except ShapeError:
        return False
    assert layer.build(x)(sample(x)).shape[1:] == promised.dims, spec
    return True


IMAGES = [TensorSpec((2, 9), "CL"), TensorSpec((2, 7, 8), "CHW"), TensorSpec((2, 5, 6, 7), "CDHW")]


@pytest.mark.parametrize("x", IMAGES, ids=lambda x: x.axes)
@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_convolutions_of_every_window(kind, x):
    accepted = 0
    for kernel in (1, 2, 3, 4):
        for stride in (1, 2, 3):
            for padding in ("valid", "same", 1, 2):
                for dilation in (1, 2):
                    fields = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
                    accepted += check_shape({kind: {"channels": 2, **fields}}, x)
    assert accepted > 60


@pytest.mark.parametrize("x", IMAGES, ids=lambda x: x.axes)
@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
def test_pools_of_every_window(kind, x):
    accepted = 0
    for kernel in (1, 2, 3, 4):
        for stride in (None, 1, 2, 3):
            for padding in ("valid", "same", 1):
                accepted += check_shape({kind: {"kernel": kernel, "stride": stride, "padding": padding}}, x)
    assert accepted > 30


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_padding_same_divides_and_multiplies_the_size_by_the_stride(kernel, stride):
    x = TensorSpec((1, 11, 12), "CHW")
    fields = {"channels": 1, "kernel": kernel, "stride": stride, "padding": "same"}
    assert Layer.model_validate({"conv": fields}).shape(x).spatial == (math.ceil(11 / stride), math.ceil(12 / stride))
    assert Layer.model_validate({"conv_transpose": fields}).shape(x).spatial == (11 * stride, 12 * stride)


def test_conv_passes_every_field_on_to_torch():
    x, images = TensorSpec((4, 12, 13), "CHW"), torch.randn(2, 4, 12, 13)
    fields = {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 2}
    module = built({"conv": {"channels": 6, **fields}}, x)
    expected = torch.nn.functional.conv2d(images, module.weight, module.bias, (2, 1), (1, 0), (1, 2), 2)
    assert torch.equal(module(images), expected)
    module = built({"conv_transpose": {"channels": 6, **fields, "bias": False}}, x)
    expected = torch.nn.functional.conv_transpose2d(images, module.weight, None, (2, 1), (1, 0), 0, 2, (1, 2))
    assert torch.equal(module(images), expected)


def test_subsample_starts_as_a_mean_and_scales_sums():
    x, images = TensorSpec((2, 4, 6), "CHW"), torch.randn(3, 2, 4, 6)
    module = built("subsample", x)
    assert torch.allclose(module(images), torch.nn.functional.avg_pool2d(images, 2), atol=1e-6)
    module.weight.data = torch.tensor([1.0, 2.0])
    module.bias.data = torch.tensor([0.5, 0.0])
    sums = torch.nn.functional.avg_pool2d(images, 2, divisor_override=1)
    assert torch.allclose(module(images)[:, 0], sums[:, 0] + 0.5, atol=1e-5)
    assert torch.allclose(module(images)[:, 1], 2 * sums[:, 1], atol=1e-5)


def test_connected_conv_is_a_convolution_with_zeros():
    table, x, images = [[0, 2], [1], [0, 1, 2]], TensorSpec((3, 6, 6), "CHW"), torch.randn(2, 3, 6, 6)
    module = built({"connected_conv": {"table": table, "kernel": 3}}, x)
    dense = torch.nn.Conv2d(3, 3, 3)
    dense.weight.data.zero_()
    for weight, (o, c) in zip(module.weight, [(0, 0), (0, 2), (1, 1), (2, 0), (2, 1), (2, 2)], strict=True):
        dense.weight.data[o, c] = weight.detach()
    dense.bias.data = module.bias.data
    assert torch.allclose(module(images), dense(images), atol=1e-6)


def test_the_layers_of_lenet5_have_the_parameters_of_the_paper():
    three = [[i, (i + 1) % 6, (i + 2) % 6] for i in range(6)]
    four = [[(i + j) % 6 for j in range(4)] for i in range(6)]
    split = [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]]
    table = [*three, *four, *split, list(range(6))]
    paper = [
        ({"conv": {"channels": 6, "kernel": 5}}, (1, 32, 32), 156),
        ({"subsample": 2}, (6, 28, 28), 12),
        ({"connected_conv": {"table": table, "kernel": 5}}, (6, 14, 14), 1516),
        ({"subsample": 2}, (16, 10, 10), 32),
        ({"conv": {"channels": 120, "kernel": 5}}, (16, 5, 5), 48_120),
    ]
    for spec, dims, parameters in paper:
        assert Layer.model_validate(spec).cost(TensorSpec(dims, "CHW")).parameters == parameters
