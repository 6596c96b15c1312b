"""Transformers have the parameters and multiply-adds of their papers."""

import pytest
from text_inputs import pair, tokens

from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import TensorSpec

IMAGE = TensorSpec((3, 224, 224), "CHW")


PUBLISHED = [
    pytest.param(["vit", {"linear": 1000}], IMAGE, 86_567_656, id="ViT-B/16"),
    pytest.param(["bert"], tokens(128, 30_522), 109_482_240, id="BERT base"),
    pytest.param(["gpt"], tokens(1024, 50_257), 124_439_808, id="GPT-2 small"),
    pytest.param(["t5"], pair(32_128), 60_506_624, id="T5 small"),
]


@pytest.mark.parametrize(("parts", "x", "parameters"), PUBLISHED)
def test_parameters_are_those_published(parts, x, parameters):
    model, *head = parts
    tree = Layer.model_validate([Model.model_validate(model).tree(x), *head])
    assert tree.cost(x).parameters == parameters


def test_the_base_transformer_has_the_papers_65_million():
    x = pair(37_000)
    parameters = Model.model_validate("transformer").tree(x).cost(x).parameters
    encoder = 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 512 + 2048 + 4 * 512
    decoder = encoder + 4 * (512 * 512 + 512) + 2 * 512
    assert parameters == 37_000 * 512 + 6 * (encoder + decoder)
    assert parameters == pytest.approx(65e6, rel=0.03)


def test_vit_has_the_multiply_adds_published():
    tree = Layer.model_validate([Model.model_validate("vit").tree(IMAGE), {"linear": 1000}])
    assert tree.cost(IMAGE).macs == pytest.approx(17.6e9, rel=0.005)
