"""Layers for images: initial scale of batch norm, cropping, channel padding."""

import pytest
import torch

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import TensorSpec


def test_batch_norm_starts_where_it_is_told():
    x = TensorSpec((3, 4, 4), "CHW")
    norm = Layer.model_validate({"batch_norm": {"weight_init_value": 0.25}}).build(x)
    assert norm.weight.tolist() == [0.25] * 3 and norm.bias.tolist() == [0.0] * 3
    assert Layer.model_validate("batch_norm").build(x).weight.tolist() == [1.0] * 3


@pytest.mark.parametrize("axes", ["CL", "CHW", "CDHW"])
def test_crop_keeps_the_middle(axes):
    x = TensorSpec((2, *(8, 9, 10)[: len(axes) - 1]), axes)
    image = torch.randn(3, *x.dims)
    middle = image[:, :, 2:-2] if axes == "CL" else image[:, :, 2:-2, 2:-2]
    middle = middle[..., 2:-2] if axes == "CDHW" else middle
    assert torch.equal(Layer.model_validate({"crop": 2}).build(x)(image), middle)
    with pytest.raises(ShapeError, match="leaves nothing"):
        Layer.model_validate({"crop": 4}).shape(x)


def test_pad_channels_never_takes_channels_away():
    x = TensorSpec((6, 5), "TF")
    assert torch.equal(
        Layer.model_validate({"pad_channels": 7}).build(x)(torch.ones(2, 6, 5)).sum(2), torch.full((2, 6), 5.0)
    )
    with pytest.raises(ShapeError, match="cannot make 4 channels of 5"):
        Layer.model_validate({"pad_channels": 4}).shape(x)
