"""Name maps: every tensor that torchvision and timm publish of an architecture is a parameter of it, of its shape."""

import pytest
import torch
from published_shapes import PUBLISHED

from dlx.models import Model
from dlx.name_maps import NameMap
from dlx.tensors import TensorSpec

PHOTO = TensorSpec((3, 224, 224), "CHW")
HEAD = {"head.0.weight", "head.0.bias"}


def without_ones(shape):
    return tuple(size for size in shape if size != 1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_tensor_is_a_parameter(name):
    spec, published = PUBLISHED[name]
    model = Model.model_validate(spec)
    with torch.device("meta"):
        network = model.tree(PHOTO).build(PHOTO)
    names = model.name_maps()[name.split()[0]]
    shapes = {n: tuple(value.shape) for n, value in network.state_dict().items()}
    found = {source: without_ones(shapes[n]) for n in shapes for source in names.published_names(n)}
    heads = {source for n in HEAD for source in names.published_names(n)}
    assert found == {n: without_ones(shape) for n, shape in published.items() if n not in heads}
    assert heads <= published.keys()


def test_a_head_of_any_number_is_the_published_one():
    names = Model.model_validate({"resnet": 18}).name_maps()["torchvision"]
    assert names.published_names("head.1.weight") == names.published_names("body.head.0.weight") == ("fc.weight",)


def test_replacements_compute():
    names = NameMap([(r"^a(\d+)\.(\d+)", r"b{1+2}.{2//3}.{1*2}.{2-1}")])
    assert names.published_names("a4.7.weight") == ("b6.2.8.6.weight",)


def test_models_that_nobody_publishes_have_no_names():
    assert not Model.model_validate({"resnet": 20}).name_maps()
    assert not Model.model_validate({"mlp": [8]}).name_maps()
    assert not Model.model_validate({"mobilenet": 1}).name_maps()
