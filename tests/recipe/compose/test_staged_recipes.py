"""Stages: one recipe becomes several, and what is wrong in one of them is told at its line."""

import json

import jsonschema
import pytest

import dlx
from dlx.errors import RecipeError
from dlx.recipe.origins import origins_of
from dlx.reference.jsonschema import recipe_schema

TWICE = """\
name: twice
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: 16}, relu]}
train: {epochs: 4}
stages:
  first:
    train: {batch_size: 16}
  second:
    init_from: {stage: first}
"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="r.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


def problems(path, overrides=()):
    with pytest.raises(RecipeError) as caught:
        dlx.load(path, overrides)
    return caught.value.diagnostics


def test_every_stage_is_the_recipe_with_its_changes(write):
    loaded = dlx.load(write(TWICE))
    first, second = (loaded.stages[name].recipe for name in ("first", "second"))
    assert (first.train.epochs, first.train.batch_size, first.init_from) == (4, 16, None)
    assert (second.train.epochs, second.train.batch_size, second.init_from.stage) == (4, 64, "first")
    assert first.name == second.name == "twice"
    assert loaded.recipe == second, "the whole is what its last stage is"


def test_overrides_change_all_stages_or_one(write):
    path = write(TWICE)
    loaded = dlx.load(path, ["train.epochs=9", "stages.second.train.epochs=3", "stages.second.optimizer.lr=0.5"])
    assert [part.recipe.train.epochs for part in loaded.stages.values()] == [9, 3]
    assert loaded.stages["second"].recipe.optimizer["*"].lr == 0.5
    assert list(dlx.load(path, {"stages.first": None, "stages.second.init_from": None}).stages) == ["second"]


def test_variables_and_blocks_are_those_of_the_stage(write):
    text = TWICE.replace(
        "{linear: 16}, relu]",
        '{unit: "${vars.width}"}], blocks: {unit: {parameters: [n], layers: [{linear: "${n}"}, relu]}}',
    ).replace("  first:", "  first:\n    vars: {width: 5}")
    loaded = dlx.load(write("vars: {width: 7}\n" + text))
    widths = [part.recipe.model["*"].layers[1].layers[0].features for part in loaded.stages.values()]
    assert widths == [5, 7]


def test_recipes_with_stages_are_extended_and_stages_extend(write):
    write(TWICE, "base.yaml")
    write(
        "name: other\ntask: classification\ndata: {source: {sklearn: iris}}\nmodel: {mlp: {hidden: [3]}}\n"
        "train: {epochs: 7}\ntracking: {tags: {a: b}}\n",
        "other.yaml",
    )
    loaded = dlx.load(
        write(
            "extends: base.yaml\nname: mine\nstages:\n  second: {train: {epochs: 2}}\n"
            "  third: {extends: other.yaml, train: {batch_size: 8}}\n"
        )
    )
    assert [part.recipe.train.epochs for part in loaded.stages.values()] == [4, 2, 7]
    third = loaded.stages["third"].recipe
    assert (third.name, third.train.batch_size, third.tracking.tags) == ("mine", 8, {})
    assert third.data.source.dataset == "iris"


def test_the_canonical_form_is_the_same_recipe(write):
    loaded = dlx.load(write(TWICE))
    again = dlx.load(write(json.dumps(loaded.to_stored()), "again.yaml"))
    assert again.to_stored() == loaded.to_stored()
    assert [part.recipe for part in again.stages.values()] == [part.recipe for part in loaded.stages.values()]


def test_origins_know_the_stage(write):
    found = {o.path: o.place for o in origins_of(dlx.load(write(TWICE)))}
    assert found["stages.first.train.batch_size"].endswith("r.yaml:8")
    assert found["stages.second.train.epochs"].endswith("r.yaml:5")


@pytest.mark.parametrize(
    ("old", "new", "place", "path", "said"),
    [
        ("{batch_size: 16}", "{batch_size: x}", (8, 25), "stages.first.train.batch_size", "integer"),
        ("{batch_size: 16}", "{btach_size: 16}", (8, 13), "stages.first.train.btach_size", "unknown"),
        ("    train: {b", "    name: x\n    train: {b", (8, 5), "stages.first.name", "all stages have this"),
        ("  second:", "  model:", (9, 3), "stages.model", "section"),
        ("  second:", "  a b:", (9, 3), "stages.a b", "cannot name a stage"),
        ("\n    train: {batch_size: 16}", " 3", (7, 10), "stages.first", "no mapping"),
        ("{stage: first}", "{stage: frist}", (10, 24), "stages.second.init_from.stage", "no earlier stage 'frist'"),
        ("{stage: first}", "{stage: second}", (10, 24), "stages.second.init_from.stage", "no earlier stage"),
        ("{stage: first}", "{}", (10, 16), "stages.second.init_from", "one of run, stage and file"),
        ("{batch_size: 16}", '{batch_size: "${vars.x}"}', (8, 25), "stages.first.train.batch_size", "no value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_line(write, old, new, place, path, said):
    (found,) = problems(write(TWICE.replace(old, new)))
    assert (found.line, found.column, found.path) == (*place, path)
    assert said in found.message


def test_what_is_wrong_in_every_stage_is_told_once_and_what_is_not_says_where(write):
    (both,) = problems(write(TWICE.replace("{epochs: 4}", "{epochs: 0}")))
    assert both.line == 5 and not any("stage" in note for note in both.notes)
    (one,) = problems(write(TWICE.replace("{batch_size: 16}", "{epochs: 3}").replace("{epochs: 4}", "{epochs: 0}")))
    assert one.line == 5 and "in the stage second" in one.notes


def test_stages_that_are_none(write):
    assert "mapping" in problems(write(TWICE[: TWICE.index("  first")] + "  - first\n"))[0].message
    (found,) = problems(write(TWICE[: TWICE.index("stages")] + "init_from: {stage: first}\n"))
    assert "has no stages" in found.message


def test_many_stages_of_a_large_recipe_are_refused(write):
    units = ", ".join(["1"] * 4000)
    many = "".join(f"  s{i}: {{}}\n" for i in range(1000))
    (found,) = problems(write(f"model: {{mlp: {{hidden: [{units}]}}}}\nstages:\n{many}"))
    assert found.code == "DLX103"


def test_the_editor_schema_knows_stages(write):
    schema = recipe_schema()
    validator = jsonschema.Draft202012Validator(schema)
    recipe = {
        "name": "x", "data": {"source": {"sklearn": "digits"}}, "model": {"mlp": {"hidden": [3]}},
        "stages": {"a": {"task": "classification"}, "b": {"task": "classification", "init_from": {"stage": "a"}}},
    }  # fmt: skip
    assert list(validator.iter_errors(recipe)) == []
    for wrong in ({"trian": {}}, {"name": "y"}, {"train": {"epochs": "x"}}, 3):
        assert list(validator.iter_errors({**recipe, "stages": {"a": wrong}})), wrong
