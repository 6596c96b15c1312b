"""`dlx plan`: what a recipe builds and costs, without torch."""

import json

ROWS = 1797


def test_quickstart_has_9610_parameters(dlx, recipes):
    result = dlx("plan", recipes / "quickstart.yaml")
    assert result.returncode == 0, result.stderr
    assert "9,610" in result.stdout and "10 classes" in result.stdout
    assert "data.transforms = normalize" in result.stdout
    assert "dlx train" in result.stderr


def test_json_says_the_same_and_follows_overrides(dlx, recipes):
    result = dlx("plan", recipes / "quickstart.yaml", "model.mlp.hidden=[32]", "train.epochs=1", "--json")
    found = json.loads(result.stdout)
    parameters = 64 * 32 + 32 + 32 * 10 + 10
    assert found["quantities"]["plan/parameters"] == parameters
    assert sum(layer["parameters"] for layer in found["networks"]["network"]["layers"]) == parameters
    assert found["memory"]["optimizer"] == 4 * 2 * parameters  # AdamW keeps two numbers for each
    assert sum(found["data"]["samples"].values()) == ROWS
    assert found["steps"] == found["steps_per_epoch"]


def test_a_layer_that_does_not_fit_is_an_error_at_its_line(dlx, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "task: classification\ndata: {source: {sklearn: iris}}\nmodel:\n  layers: [{conv: {channels: 2, kernel: 3}}]\n"
    )
    result = dlx("plan", path)
    assert result.returncode == 2
    assert f"{path}:4" in result.stderr and "Traceback" not in result.stderr
