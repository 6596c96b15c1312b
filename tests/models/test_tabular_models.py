"""Models of features and tables: mlp, linear, perceptron, adaline; and layers."""

import math

import pytest
import torch
from model_inputs import CODES, FLAT, IMAGE, INPUTS, NUMBERS, sample

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model, initialize


def tree_of(spelling: object, x: object) -> Layer:
    return Model.model_validate(spelling).tree(x)


def types_in(tree: Layer) -> list[str]:
    return [layer.type for layer in tree.layers]


def test_mlp_puts_norm_before_and_dropout_after_the_activation() -> None:
    model = {"mlp": {"hidden": [5, 4], "activation": "tanh", "norm": "batch_norm", "dropout": 0.5}}
    block = ["linear", "batch_norm", "tanh", "dropout"]
    assert types_in(tree_of(model, FLAT)) == block * 2
    assert types_in(tree_of({"mlp": [5]}, IMAGE)) == ["flatten", "linear", "relu"]


def test_mlp_has_the_parameters_of_its_sizes() -> None:
    assert tree_of({"mlp": [5, 4]}, FLAT).cost(FLAT).parameters == (7 + 1) * 5 + (5 + 1) * 4


@pytest.mark.parametrize("x", [NUMBERS, CODES, INPUTS["table"]])
def test_tables_go_through_columns(x: object) -> None:
    for model in ({"mlp": [5]}, "linear", "perceptron", "adaline"):
        assert types_in(tree_of(model, x))[0] == "columns"


def test_linear_sees_standardized_numbers_and_one_feature_a_category() -> None:
    x = INPUTS["table"]
    module = tree_of("linear", x).build(x)
    row = {"numeric": torch.tensor([[12.0, math.nan]]), "categorical": torch.tensor([[2, 0]])}
    assert module(row).tolist() == [[1.0, 0.0, 1.0, 0, 0, 1, 1, 0, 0, 0, 0]]


def test_features_without_names_are_passed_on_as_they_are() -> None:
    assert types_in(tree_of("linear", FLAT)) == []
    x = sample(FLAT)
    assert torch.equal(tree_of("linear", FLAT).build(FLAT)(x), x)


def test_perceptron_and_adaline_start_from_zero() -> None:
    for name in ("perceptron", "adaline"):
        model = Model.model_validate(name)
        tree = Layer.model_validate([*model.architecture(FLAT), {"linear": 2}])
        module = tree.build(FLAT)
        initialize(module, tree, FLAT, model.init)
        assert all((p == 0).all() for p in module.parameters())


def test_layers_is_what_the_recipe_lists() -> None:
    tree = tree_of(
        {"type": "layers", "layers": [{"stem": {"linear": 3}}, "relu"], "blocks": {"b": {"layers": []}}}, FLAT
    )
    assert types_in(tree) == ["linear", "relu"] and tree.layers[0].name == "stem"


def test_an_error_says_where_it_is() -> None:
    with pytest.raises(ShapeError) as caught:
        tree_of({"type": "layers", "layers": ["flatten", {"conv": {"channels": 2, "kernel": 3}}]}, IMAGE).shape(IMAGE)
    assert caught.value.loc == ("layers", 1)
