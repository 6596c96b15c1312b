"""A recipe of the gallery is named as a file would be, from any folder; a file of this name wins."""

import json
from pathlib import Path

import pytest

import dlx as api
from dlx.recipe.gallery import gallery, gallery_folder


def test_a_name_without_its_topic_means_one_recipe():
    names = [name.rpartition("/")[2] for name in gallery()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["mlp-xor", "first-wave/mlp-xor"])
def test_a_recipe_is_found_from_any_folder(dlx, tmp_path, name):
    assert dlx("validate", name, cwd=tmp_path, light=True).stdout.startswith(f"{name}: ok")
    assert f"dlx train {name}" in dlx("plan", name, cwd=tmp_path).stderr
    tested = dlx("test", name, "--json", cwd=tmp_path, heavy=True)
    assert json.loads(tested.stdout)[0]["verdict"] == "held", tested.stderr


def test_a_file_of_the_name_wins(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("mlp-xor").write_text("name: mine\ntask: classification\ndata: {source: {gates: xor}}\nmodel: linear\n")
    assert api.load("mlp-xor").recipe.name == "mine"
    Path("quickstart").mkdir()
    assert api.load("quickstart").recipe.name == "quickstart"


def test_paths_of_a_recipe_found_by_name_start_here_and_not_in_the_gallery(monkeypatch, tmp_path, recipes):
    monkeypatch.chdir(tmp_path)
    assert api.load("digits-folder").base == Path()
    assert api.load(recipes / "vision" / "digits-folder.yaml").base == recipes / "vision"


@pytest.mark.parametrize("name", ["mlpxor", "recipes/mlp-xor.yaml", "elsewhere/mlp-xor"])
def test_a_mistyped_name_is_answered_with_the_right_one(dlx, tmp_path, name):
    for verb in ("validate", "plan", "train"):
        result = dlx(verb, name, cwd=tmp_path, light=True)
        assert result.returncode == 2 and "did you mean mlp-xor" in result.stderr, result.stderr
    shown = dlx("show", "recipe", name, cwd=tmp_path, light=True)
    assert shown.returncode == 2 and "mlp-xor" in shown.stderr


def test_a_recipe_may_extend_one_of_the_gallery(tmp_path):
    (tmp_path / "own.yaml").write_text("extends: mlp-xor\ntrain: {epochs: 3}\n")
    recipe = api.load(tmp_path / "own.yaml").recipe
    assert (recipe.train.epochs, recipe.task.type) == (3, "classification")
    (tmp_path / "mlp-xor").write_text(
        "name: beside\ntask: classification\ndata: {source: {gates: xor}}\nmodel: linear\n"
    )
    assert api.load(tmp_path / "own.yaml").recipe.name == "beside"


def test_list_and_show_name_recipes(dlx, tmp_path):
    lines = dlx("list", "recipes", cwd=tmp_path, light=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(gallery())
    assert all(len(line.split()) > 3 for line in lines)
    text = (gallery_folder() / "quickstart.yaml").read_text()
    assert dlx("show", "recipe", "quickstart", cwd=tmp_path, light=True).stdout == text
    in_full = json.loads(
        dlx("show", "recipe", "quickstart", "train.epochs=2", "--json", cwd=tmp_path, light=True).stdout
    )
    assert in_full["train"]["epochs"] == 2


def test_init_copies_a_recipe_that_means_the_same(dlx, tmp_path):
    for name in ("quickstart", "first-wave/mlp-xor", "bert-mini-scratch"):
        result = dlx("init", "--recipe", name, "-o", "own.yaml", "--force", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        copied, own = api.load(tmp_path / "own.yaml").recipe, api.load(name).recipe
        assert copied.model_copy(update={"extends": own.extends}) == own
        assert (tmp_path / "own.yaml").read_text().startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert (tmp_path / "recipe.schema.json").exists()


@pytest.mark.parametrize("words", [(), ("iris", "--recipe", "quickstart"), ("--recipe", "quickstart", "--target", "y")])
def test_init_takes_data_or_a_recipe(dlx, tmp_path, words):
    result = dlx("init", *words, cwd=tmp_path, light=True)
    assert result.returncode == 2 and "Traceback" not in result.stderr and not (tmp_path / "recipe.yaml").exists()


def test_init_replaces_nothing_unasked(dlx, tmp_path):
    (tmp_path / "recipe.yaml").write_text("mine")
    assert dlx("init", "--recipe", "quickstart", cwd=tmp_path, light=True).returncode == 2
    assert (tmp_path / "recipe.yaml").read_text() == "mine"
