"""One value deep inside a recipe or a plan is changed in a copy; wrong paths and wrong values are refused."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dlx.errors import UsageError
from dlx.evolve import Evolvable
from dlx.optimizers import Optimizer
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe

CLASSIFIER = {
    "task": "classification",
    "data": {"source": "moons"},
    "model": {"layers": [{"linear": 8}, "relu", {"linear": 4}]},
    "regularize": {"grad_clip": {"norm": 1.0}},
    "train": {"epochs": 3, "batch_size": 8},
}
GAN = {
    "task": "gan",
    "data": {"source": "moons"},
    "optimizer": {"generator": "adam", "discriminator": {"sgd": {"lr": 1.0}}},
}
GAN["model"] = {"generator": {"mlp": {"hidden": [4]}}, "discriminator": {"mlp": {"hidden": [4]}}}


@pytest.fixture
def recipe():
    return Recipe.model_validate(CLASSIFIER)


def test_a_field_of_a_section_changes_in_a_copy(recipe):
    other = recipe.evolve("train.batch_size", 4)
    assert (other.train.batch_size, recipe.train.batch_size) == (4, 8)
    assert other.train.epochs == 3
    assert other.model is recipe.model


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("model.layers.0.features", 16, lambda r: r.model["*"].layers[0].features),
        ("model.*.layers.2.features", 16, lambda r: r.model["*"].layers[2].features),
        ("regularize.grad_clip.norm", 16, lambda r: r.regularize["grad_clip"].norm),
        ("optimizer.lr", 16, lambda r: r.optimizer["*"].lr),
        ("optimizer.lr_scale.head", 16, lambda r: r.optimizer["*"].lr_scale["head"]),
        ("expect.test/loss", 16, lambda r: r.expect["test/loss"].bound),
    ],
)
def test_paths_go_through_lists_named_maps_and_roles(recipe, path, value, read):
    assert read(recipe.evolve(path, value)) == value


def test_every_entry_of_a_map_changes_by_a_star():
    gan = Recipe.model_validate(GAN).evolve("optimizer.*.lr", 0.5)
    assert {role: (o.type, o.lr) for role, o in gan.optimizer.items()} == {
        "generator": ("adam", 0.5),
        "discriminator": ("sgd", 0.5),
    }


def test_one_role_changes_alone():
    gan = Recipe.model_validate(GAN).evolve("optimizer.discriminator.lr", 0.5)
    assert [o.lr for o in gan.optimizer.values()] == [0.001, 0.5]


def test_values_are_read_in_any_spelling_of_a_recipe(recipe):
    other = recipe.evolve_all({"optimizer": {"lr": 0.5}, "regularize.ema": {"decay": 0.5}, "model.layers.1": "tanh"})
    assert (other.optimizer["*"].type, other.optimizer["*"].lr) == ("adamw", 0.5)
    assert (other.regularize["ema"].type, list(other.regularize)) == ("ema", ["grad_clip", "ema"])
    assert [layer.type for layer in other.model["*"].layers] == ["linear", "tanh", "linear"]


def test_null_takes_an_entry_of_a_named_map_out(recipe):
    assert recipe.evolve("regularize.grad_clip", None).regularize == {}


def test_changes_of_one_section_are_validated_together(recipe):
    with pytest.raises(UsageError, match="not both"):
        recipe.evolve("train.steps", 5)
    assert recipe.evolve_all({"train.steps": 5, "train.epochs": None}).train.steps == 5


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.batch_sise", 4, "there is no train.batch_sise; did you mean train.batch_size"),
        ("trian.batch_size", 4, "there is no trian; did you mean train"),
        ("model.layers.7.features", 4, r"there is no model.\*.layers.7; there are 0, 1, 2"),
        ("regularize.grad_clp.norm", 4, "did you mean regularize.grad_clip"),
        ("name.first", 4, "name is 'experiment', which has no fields"),
        ("train.batch_size", "four", "train.batch_size: .*integer"),
        ("train.batch_size", 0, "train.batch_size: .*greater than or equal to 1"),
        ("optimizer.lr", -1.0, r"optimizer.\*.lr: .*greater than 0"),
        ("regularize.emma", {}, "unknown regularizer 'emma'"),
    ],
)
def test_wrong_paths_and_values_are_refused(recipe, path, value, message):
    with pytest.raises(UsageError, match=message):
        recipe.evolve(path, value)


def test_the_base_of_a_wrapping_optimizer_follows_its_lr():
    sam = Optimizer.model_validate({"sam": {"lr": 0.1, "base_optimizer": {"momentum": {"lr": 0.1, "momentum": 0.5}}}})
    other = sam.evolve("lr", 0.3)
    assert (other.inner_optimizer.type, other.inner_optimizer.lr, other.inner_optimizer.momentum) == (
        "momentum",
        0.3,
        0.5,
    )
    assert Optimizer.model_validate(other.model_dump(mode="json", serialize_as_any=True)) == other


@dataclass(frozen=True)
class Holder(Evolvable):
    loaded: LoadedRecipe
    notes: tuple[str, ...] = ("a", "b")
    counts: dict[str, int] = field(default_factory=dict)


def test_dataclasses_and_tuples_are_gone_through(recipe):
    holder = Holder(LoadedRecipe(recipe, Path()))
    other = holder.evolve_all({"loaded.recipe.train.epochs": 9, "notes.1": "c", "counts.val": 3})
    assert (other.loaded.recipe.train.epochs, other.notes, other.counts) == (9, ("a", "c"), {"val": 3})
    assert (holder.loaded.recipe.train.epochs, holder.notes, holder.counts) == (3, ("a", "b"), {})
