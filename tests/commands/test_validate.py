"""`dlx validate`: every error of every file at its line, without anything heavy."""

import json
from pathlib import Path

GOOD = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: {mlp: {hidden: [8]}}\n"


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_good_recipe_is_ok_without_anything_heavy(dlx, tmp_path):
    path = write(tmp_path, "good.yaml", GOOD)
    result = dlx("validate", path, light=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{path}: ok")


def test_every_file_is_checked_and_exits_with_2(dlx, tmp_path):
    first = write(tmp_path, "first.yaml", GOOD + "optimizer: {adamw: {lrr: 1.0}}\ntrain: {epochs: 0}\n")
    second = write(tmp_path, "second.yaml", GOOD)
    third = write(tmp_path, "third.yaml", "seed: [\n")
    result = dlx("validate", first, second, third, light=True)
    assert result.returncode == 2
    assert f"{first}:4" in result.stderr and "lr" in result.stderr and f"{first}:5" in result.stderr
    assert str(third) in result.stderr and "Traceback" not in result.stderr
    assert result.stdout.startswith(f"{second}: ok")


def test_json_lists_the_errors(dlx, tmp_path):
    path = write(tmp_path, "bad.yaml", GOOD + "train: {epochs: 0}\n")
    result = dlx("validate", path, "--json", light=True)
    (error,) = json.loads(result.stdout)
    assert (error["line"], error["code"], error["path"]) == (4, "DLX305", "train.epochs")


def test_shapes_are_checked_once_the_data_are_known(dlx, tmp_path):
    cache = tmp_path / "cache"
    good = write(tmp_path, "good.yaml", GOOD)
    wrong = write(
        tmp_path, "wrong.yaml", GOOD.replace("{mlp: {hidden: [8]}}", "{layers: [{conv: {channels: 2, kernel: 3}}]}")
    )
    before = dlx("validate", wrong, light=True, DLX_CACHE=str(cache))
    assert before.returncode == 0 and "not checked" in before.stdout
    assert dlx("plan", good, DLX_CACHE=str(cache)).returncode == 0
    after = dlx("validate", wrong, light=True, DLX_CACHE=str(cache))
    assert after.returncode == 2 and f"{wrong}:3" in after.stderr and "conv" in after.stderr
