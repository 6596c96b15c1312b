import json

import pytest
from typer.testing import CliRunner

from dlx.cli import app
from dlx.errors import UsageError

BASE = """
task: classification
data: {source: {sklearn: {dataset: iris}}}
model: linear
optimizer: {sgd: {lr: 0.5}}
train: {epochs: 4}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "r.yaml").write_text("extends: base.yaml\ntrain: {epochs: 9}\n")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    return result.stdout


def test_why_says_where_a_value_comes_from_and_what_it_means(folder):
    (found,) = json.loads(run("why", "r.yaml", "train.epochs", "--json"))
    assert (found["value"], found["place"], found["default"]) == (9, "r.yaml:2", "10")
    assert found["notes"] == ["it replaces what is set in base.yaml:6"]
    assert found["permission"] == "ask"
    assert found["description"].startswith("Passes over the train split")
    assert any(place.startswith("dlx/plan/") for place in found["readers"])


def test_why_knows_fields_of_components_overrides_and_defaults(folder):
    (found,) = json.loads(run("why", "r.yaml", "optimizer.lr", "optimizer.lr=0.25", "--json"))
    assert (found["value"], found["place"], found["kind"]) == (0.25, "<command line>:1", "number, > 0")
    assert found["notes"] == ["it replaces what is set in base.yaml:5"]
    assert all(place.startswith("dlx/optimizers/sgd") for place in found["readers"]) and found["readers"]
    (found,) = json.loads(run("why", "r.yaml", "train.batch_size", "--json"))
    assert (found["place"], found["value"]) == ("default", 64)
    assert len(json.loads(run("why", "r.yaml", "optimizer", "--json"))) > 3


def test_why_prints_for_people(folder):
    shown = run("why", "r.yaml", "train.epochs")
    assert "train.epochs: 9" in shown
    assert "only with --allow-change" in shown


def test_why_names_what_was_meant(folder):
    with pytest.raises(UsageError, match=r"did you mean train\.epochs\?"):
        run("why", "r.yaml", "train.epoch")


def test_diff_is_by_meaning(folder):
    (folder / "spelled.yaml").write_text(BASE.replace("{sgd: {lr: 0.5}}", "{type: sgd, lr: 5.0e-1}") + "seed: 0\n")
    assert run("diff", "base.yaml", "spelled.yaml") == "the recipes mean the same\n"
    (found,) = json.loads(run("diff", "base.yaml", "r.yaml", "--json"))["recipe"]
    assert found == {"path": "train.epochs", "first": 4, "second": 9, "permission": "ask"}
