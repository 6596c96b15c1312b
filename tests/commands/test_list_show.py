"""`dlx list` and `dlx show`: every component, recipe, run, code and architecture explains itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from dlx.component import Component, Section, families, leaf_class, types
from dlx.models import Model
from dlx.plan.architecture import USUAL, find_input, shortest_spelling
from dlx.recipe.yaml.document import parse
from dlx.reference.components import components, describe_component


def test_list_counts_every_family(dlx):
    found = json.loads(dlx("list", "--json", light=True).stdout)
    assert {f["name"]: f["count"] for f in found} == {f: len(types(f)) for f in families()}


def test_list_of_a_family_has_one_line_a_component(dlx):
    result = dlx("list", "layer", light=True)
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(types("layers"))
    assert dlx("list", "leyers", light=True).returncode == 2


@pytest.mark.parametrize("family", families())
def test_every_component_documents_itself(family):
    for summary, name in zip(components(family), types(family), strict=True):
        leaf = leaf_class(family, name)
        doc = describe_component(leaf)
        assert summary.text.endswith(".") and len(summary.text) > 10, name
        assert doc.example and "Example:" not in doc.text, name
        assert {f.name for f in doc.fields} == set(leaf.model_fields) - {"type"}
        assert all(f.text and f.kind for f in doc.fields), name
        assert [f.name for f in doc.fields if not f.default_yaml] == [
            n for n, f in leaf.model_fields.items() if f.is_required()
        ]


@pytest.mark.parametrize("family", families())
def test_a_shown_default_is_what_a_recipe_may_write(family):
    for name in types(family):
        leaf = leaf_class(family, name)
        for field in describe_component(leaf).fields:
            spec = leaf.model_fields[field.name]
            if spec.is_required():
                continue
            shown = parse(f"value: {field.default_yaml}", "default").plain()["value"]
            value = spec.get_default(call_default_factory=True, validated_data={})
            if isinstance(value, Section) and not isinstance(value, Component):
                assert type(value).model_validate(shown) == value, f"{name}.{field.name}"
                continue
            plain = json.loads(TypeAdapter(Any).dump_json(value))
            assert shown == plain, f"{name}.{field.name}"


def test_limits_inside_a_field_are_shown():
    fields = {f.name: f for f in describe_component(leaf_class("optimizers", "adamw")).fields}
    assert fields["betas"].kind == "[number ≥ 0 and < 1, number ≥ 0 and < 1]"
    assert fields["no_decay"].default_yaml == "[bias, norm]"


def test_show_a_component(dlx):
    result = dlx("show", "conv", light=True)
    assert result.returncode == 0, result.stderr
    assert "layers/conv" in result.stdout and "Number of filters." in result.stdout and "integer, > 0" in result.stdout


def test_show_a_name_that_two_families_share(dlx):
    both = json.loads(dlx("show", "dropout", "--json", light=True).stdout)
    assert {"layers", "regularizers"} == {doc["family"] for doc in both}
    one = json.loads(dlx("show", "layers/dropout", "--json", light=True).stdout)
    assert [doc["family"] for doc in one] == ["layers"]


def test_the_canonical_form_is_a_recipe_that_means_the_same(dlx, recipes, tmp_path):
    shown = dlx("show", recipes / "quickstart.yaml", "train.epochs=3", light=True).stdout
    (tmp_path / "again.yaml").write_text(shown)
    assert yaml.safe_load(shown)["train"]["epochs"] == 3
    assert dlx("show", tmp_path / "again.yaml", light=True).stdout == shown


def test_origins_say_where_values_were_written(dlx, tmp_path):
    (tmp_path / "base.yaml").write_text("task: classification\ndata:\n  source: {sklearn: iris}\n")
    path = tmp_path / "recipe.yaml"
    path.write_text("extends: base.yaml\nmodel: {mlp: {hidden: [8]}}\noptimizer:\n  adamw:\n    lr: 0.01\n")
    result = dlx("show", path, "optimizer.adamw.lr=0.5", "--origins", "--json", light=True)
    origins = {o["path"]: o for o in json.loads(result.stdout)}
    assert origins["data.source.dataset"]["place"] == f"{tmp_path / 'base.yaml'}:3"
    assert origins["model.hidden.0"]["place"] == f"{path}:2"
    assert origins["optimizer.lr"]["value"] == 0.5 and "command line" in origins["optimizer.lr"]["place"]
    assert any(f"{path}:5" in note for note in origins["optimizer.lr"]["notes"])
    assert origins["optimizer.eps"]["place"] == "default"
    lines = dlx("show", path, "--origins", light=True).stdout.splitlines()
    values = [line.partition("  # ")[0].partition(": ")[2] for line in lines]
    assert "null" in values and "false" in values and not {"None", "True", "False", ""} & {*values}


def test_a_secret_is_not_shown(dlx, tmp_path):
    path = tmp_path / "recipe.yaml"
    uri = 'tracking: {tags: {store: "${env:STORE}"}}\n'
    path.write_text(f"task: classification\ndata: {{source: {{sklearn: iris}}}}\nmodel: linear\n{uri}")
    for words in ([], ["--origins"], ["--json"]):
        result = dlx("show", path, *words, "--env", "STORE", light=True, STORE="sqlite:///hidden.db")
        assert result.returncode == 0 and "${env:STORE}" in result.stdout and "hidden" not in result.stdout


def test_show_error(dlx):
    result = dlx("show", "error", "dlx301", light=True)
    assert result.returncode == 0 and result.stdout.startswith("DLX301")
    assert dlx("show", "error", "DLX999", light=True).returncode == 2


def test_show_a_run(dlx, tmp_path):
    folder = tmp_path / "runs" / "toy-1"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"")
    (folder / "run.json").write_text('{"name": "toy", "metrics": {"test/accuracy": 0.5}}')
    (folder / "resolved.yaml").write_text("name: toy\n")
    for word in ("last", "toy", "runs/toy-1"):
        shown = json.loads(dlx("show", word, "--json", cwd=tmp_path, light=True).stdout)
        assert shown == {"run": {"name": "toy", "metrics": {"test/accuracy": 0.5}}, "recipe": {"name": "toy"}}


@pytest.mark.parametrize("name", types("models"))
def test_the_layers_of_a_model_are_a_recipe_of_the_same_network(name):
    example = yaml.safe_load(describe_component(leaf_class("models", name)).example)
    model = Model.model_validate(example)
    x = find_input(model)
    assert x in USUAL
    plain = json.loads(json.dumps(shortest_spelling(model.architecture(x))))
    pasted = Model.model_validate({"type": "layers", "layers": plain})
    assert pasted.tree(x).cost(x) == model.tree(x).cost(x)
    assert pasted.tree(x).shape(x) == model.tree(x).shape(x)


def test_show_model_takes_settings_and_an_input(dlx):
    result = dlx("show", "model", "mlp", "hidden=[5]", "--input", "7", light=True)
    assert yaml.safe_load(result.stdout)["model"]["layers"] == [{"linear": 5}, "relu"]
    assert f"{7 * 5 + 5} parameters" in result.stderr
    wrong = dlx("show", "model", "mlp", "hiden=[5]", light=True)
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr


def test_what_is_unknown_is_answered_with_what_is_near(dlx, tmp_path):
    result = dlx("show", "convv", cwd=tmp_path, light=True)
    assert result.returncode == 2 and "layers/conv" in result.stderr
    assert dlx("show", Path("absent.yaml"), cwd=tmp_path, light=True).returncode == 2
