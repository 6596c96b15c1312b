"""How a recipe's sections are read."""

import pytest

from dlx.recipe.schema.recipe import Recipe
from dlx.tasks import EVERY_ROLE

BASE = {"task": "classification", "data": {"source": "mnist"}}


@pytest.mark.parametrize("written", ["linear", {"type": "linear"}, {"linear": {}}])
def test_one_component_serves_every_role_however_it_is_spelled(written):
    recipe = Recipe.model_validate({**BASE, "model": written})
    assert set(recipe.model) == {EVERY_ROLE} and recipe.model[EVERY_ROLE].type == "linear"


@pytest.mark.parametrize("written", ["sgd", {"type": "sgd"}, {"sgd": {"lr": 0.1}}, {"type": "sgd", "lr": 0.1}])
def test_so_does_one_optimizer(written):
    recipe = Recipe.model_validate({**BASE, "model": "linear", "optimizer": written})
    assert set(recipe.optimizer) == {EVERY_ROLE} and recipe.optimizer[EVERY_ROLE].type == "sgd"


def test_a_mapping_of_roles_is_kept():
    recipe = Recipe.model_validate({**BASE, "model": {"one": {"type": "linear"}, "other": "perceptron"}})
    assert {role: model.type for role, model in recipe.model.items()} == {"one": "linear", "other": "perceptron"}
