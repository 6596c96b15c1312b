"""`dlx schema`: an editor accepts what dlx accepts, and underlines what dlx refuses."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dlx.component import Component, families, leaf_class, types
from dlx.recipe.yaml.document import read
from dlx.reference.jsonschema import recipe_schema

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
BASE = {"task": "classification", "data": {"source": {"sklearn": "iris"}}}


@pytest.fixture(scope="module")
def editor():
    schema = recipe_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_of_the_gallery_is_valid(editor, path):
    assert [e.message for e in editor.iter_errors(read(path).root.plain())] == []


@pytest.mark.parametrize(
    "model",
    [
        "linear",
        {"mlp": {"hidden": [3]}},
        {"mlp": [3]},
        {"type": "mlp", "hidden": "${vars.sizes}", "dropout": "${vars.p}"},
        {"network": {"mlp": [3]}},
        {"layers": [{"stem": {"conv": {"channels": 2, "kernel": 3}}}, "relu", [{"linear": "${vars.width}"}]]},
        {
            "type": "layers",
            "blocks": {"fc": {"layers": ["relu"]}},
            "layers": ["fc", {"residual": {"layers": [{"fc": 3}]}}],
        },
    ],
    ids=str,
)
def test_every_spelling_of_a_model_is_valid(editor, model):
    assert [e.message for e in editor.iter_errors({**BASE, "model": model})] == []


@pytest.mark.parametrize(
    "change",
    [
        {"freeze": "body.lower"},
        {"freeze": ["body.lower", {"layers": "body.*", "until": 0.5}]},
        {"init_from": "digits-mlp"},
        {"init_from": {"run": "digits-mlp", "only": ["body"]}},
    ],
    ids=str,
)
def test_every_spelling_of_a_transfer_is_valid(editor, change):
    assert [e.message for e in editor.iter_errors({**BASE, "model": "linear", **change})] == []


@pytest.mark.parametrize(
    "change",
    [
        {"modle": "linear"},
        {"freeze": 3},
        {"model": "mlp"},
        {"model": {"type": "mlp"}},
        {"model": {"mlp": {"hiden": [3]}}},
        {"model": {"layers": ["reluu"]}},
        {"model": {"layers": [{"residual": {"layers": [{"conv": {"chanels": 3}}]}}]}},
        {"model": {"type": "layers", "layers": ["fc"]}},
        {"optimizer": {"adamw": {"lr": "fast"}}},
        {"train": {"epochs": 0}},
        {"regularize": {"dropuot": 0.5}},
        {"task": {"classification": {"metrics": ["acuracy"]}}},
    ],
    ids=str,
)
def test_a_typo_is_not_valid(editor, change):
    assert not editor.is_valid({**BASE, "model": "linear", **change})


def test_a_recipe_that_extends_another_may_leave_sections_out(editor):
    assert editor.is_valid({"extends": "base.yaml", "optimizer": {"lr": 0.1}, "regularize": {"ema": None}})
    assert not editor.is_valid({"extends": "base.yaml", "trian": {"epochs": 3}})


@pytest.mark.parametrize("family", families())
def test_every_component_is_described(family):
    text = json.dumps(recipe_schema()["$defs"], ensure_ascii=False)
    reached = f'"{family}.' in text
    for name in types(family) if reached else ():
        leaf: type[Component] = leaf_class(family, name)
        own = json.dumps((leaf.__doc__ or "").strip().splitlines()[0], ensure_ascii=False)[1:-1]
        assert own in text, name


def test_the_command_writes_the_schema_without_reading_data(dlx, tmp_path):
    result = dlx("schema", "-o", tmp_path / "recipe.schema.json", light=True)
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "recipe.schema.json").read_text())
    assert written["$schema"].endswith("2020-12/schema")
    assert "yaml-language-server" in result.stderr


def test_components_of_a_plugin_are_in_the_schema(dlx, tmp_path):
    (tmp_path / "mine" / "models").mkdir(parents=True)
    (tmp_path / "mine" / "models" / "tiny.py").write_text(
        'from typing import Literal\nfrom dlx.models import Model\n\n\nclass Tiny(Model):\n    """A tiny one."""\n\n'
        '    type: Literal["tiny"] = "tiny"\n'
    )
    result = dlx("--plugin", tmp_path / "mine", "schema", light=True)
    assert result.returncode == 0, result.stderr
    assert Draft202012Validator(json.loads(result.stdout)).is_valid({**BASE, "model": "tiny"})


STUDY = {**BASE, "model": "linear"}


@pytest.mark.parametrize(
    "section",
    [
        {"sweep": {"over": {"optimizer.adam.lr": {"log": [1e-4, 0.1]}, "train.batch_size": [32, 64]}}},
        {"sweep": {"over": {"model": {"any": [{"linear": {}}, {"mlp": {"hidden": [{"int": [32, 512]}]}}]}}}},
        {"sweep": {"over": {"model.mlp.dropout": {"uniform": [0, 1], "step": 0.1}, "optimizer.lr": None}}},
        {"sweep": {"search": {"tpe": {"trials": 60}}, "over": {"seed": [1, 2]}, "halving": {"rungs": [1, 3]}}},
        {"compare": {"variants": {"wide": {"model": {"mlp": {"hidden": [512]}}}, "slow": {"optimizer": "sgd"}}}},
        {"compare": {"variants": {"renamed": {"name": "other"}}, "folds": "all"}},
    ],
    ids=str,
)
def test_studies_are_valid(editor, section):
    assert [e.message for e in editor.iter_errors({**STUDY, **section})] == []


@pytest.mark.parametrize(
    "section",
    [
        {"sweep": {"over": {"optimizer.adam.lr": {"logg": [1e-4, 0.1]}}}},
        {"sweep": {"over": {"optimizer.adam.lr": {"log": [1e-4]}}}},
        {"sweep": {"over": {"optimizer.adam.lr": 0.1}}},
        {"sweep": {"over": {"seed": [1, 2]}, "halving": {"rung": [1, 3]}}},
        {"sweep": {"search": {"tpee": {}}, "over": {"seed": [1]}}},
        {"compare": {"variants": {"wide": {"modell": {"mlp": {"hidden": [512]}}}}}},
        {"compare": {"variants": {"wide": {"model": {"mlp": {"hidden": [512]}}}}, "seeds": 1}},
        {"compare": {"variants": {"not a name": {"seed": 1}}}},
        {"compare": {"variants": {"staged": {"stages": {}}}}},
    ],
    ids=str,
)
def test_mistakes_in_studies_are_underlined(editor, section):
    assert list(editor.iter_errors({**STUDY, **section}))
