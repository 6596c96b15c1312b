"""Embeddings of tokens, positions, segments, classes and patches."""

import math

import pytest
import torch
from layer_inputs import built
from torch.nn import functional as F

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.nn.context import apply
from dlx.tensors import TensorSpec

STEPS, WIDTH = 6, 8
X = TensorSpec((STEPS, WIDTH), "TF")
TOKENS = TensorSpec((STEPS,), "T", "int64", (9,))


def sequence(batch=3, dims=(STEPS, WIDTH)):
    return torch.randn(batch, *dims, generator=torch.Generator().manual_seed(1))


def test_an_embedding_looks_up_rows_and_scales_them():
    tokens = torch.tensor([[1, 4, 4]])
    plain, scaled = (built({"embedding": {"features": 16, "scale_embedding": s}}, TOKENS) for s in (False, True))
    assert torch.equal(plain(tokens), F.embedding(tokens, plain.weight))
    assert torch.equal(scaled(tokens), 4 * F.embedding(tokens, scaled.weight))
    wide = built({"embedding": {"features": 400, "scale_embedding": True}}, TOKENS)
    assert wide(torch.arange(9)[None]).std().item() == pytest.approx(1, rel=0.1)


def test_an_embedding_of_a_record_has_one_table_for_all_tokens():
    record = {"source": TOKENS, "target": TensorSpec((4,), "T", "int64", (11,)), "age": TensorSpec((1,), "F")}
    layer = Layer.model_validate({"embedding": 5})
    assert layer.cost(record).parameters == 11 * 5
    assert {name: y.dims for name, y in layer.shape(record).items()} == {
        "source": (6, 5),
        "target": (4, 5),
        "age": (1,),
    }
    values = {"source": torch.tensor([[1, 2]]), "target": torch.tensor([[2]]), "age": torch.tensor([[40.0]])}
    y = layer.build(record)(values)
    assert torch.equal(y["source"][0, 1], y["target"][0, 0]) and y["age"] is values["age"]


def test_sinusoids_are_those_of_the_paper():
    module = built({"position_embedding": "sinusoidal"}, X)
    y = module(torch.zeros(1, STEPS, WIDTH))[0]
    for t in range(STEPS):
        for i in range(WIDTH // 2):
            angle = t / 10000 ** (2 * i / WIDTH)
            assert y[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert y[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    longer = module(torch.zeros(1, 40, WIDTH))[0]
    torch.testing.assert_close(longer[:STEPS], y)
    assert longer[39, 0].item() == pytest.approx(math.sin(39), abs=1e-5)


def test_learned_positions_end():
    with pytest.raises(ShapeError, match="6 steps are more than the 4"):
        Layer.model_validate({"position_embedding": {"max_length": 4}}).shape(X)
    with pytest.raises(ShapeError, match="varying length"):
        Layer.model_validate("position_embedding").shape(TensorSpec((None, 4), "TF"))
    with pytest.raises(ValueError, match="7 steps"):
        built("position_embedding", X)(torch.zeros(1, 7, WIDTH))


def test_segments_are_the_first_unless_the_context_says_otherwise():
    module, x = built("segment_embedding", X), sequence()
    torch.testing.assert_close(module(x), x + module.weight[0])
    kinds = torch.tensor([[0, 0, 1, 1, 1, 0]] * 3)
    torch.testing.assert_close(apply(module, x, {"segment": kinds})[:, 3], x[:, 3] + module.weight[1])


def test_a_class_token_is_put_first_and_taken_first():
    both, x = built(["class_token", "select_step"], X), sequence()
    assert torch.equal(both(x)[1], both[0].token)
    assert torch.equal(both[0](x)[:, 1:], x)
    assert torch.equal(built({"select_step": 2}, X)(x), x[:, 2])
    with pytest.raises(ShapeError, match="padded"):
        Layer.model_validate("class_token").shape(X.replace(context={"mask": TensorSpec((STEPS,), "T", "bool")}))


def test_patches_are_rows_of_the_image():
    image = TensorSpec((2, 4, 6), "CHW")
    module, x = built({"patch_embedding": {"patch_size": [2, 3], "features": 5}}, image), torch.randn(1, 2, 4, 6)
    weight, bias = module.project.weight.flatten(1), module.project.bias
    expected = [weight @ x[0, :, i : i + 2, j : j + 3].flatten() + bias for i in (0, 2) for j in (0, 3)]
    torch.testing.assert_close(module(x)[0], torch.stack(expected))
    with pytest.raises(ShapeError, match="patches of 3×3 do not fill an image of 2 × 4 × 6"):
        Layer.model_validate({"patch_embedding": {"patch_size": 3, "features": 5}}).shape(image)
