"""What came from the environment is stored nowhere, and a run still finds its data again."""

import json
import os
import subprocess
import sys

import pytest

RECIPE = """
task: classification
data: {source: {table: {path: "${env:SECRET_FOLDER}/iris.csv", target: species}}}
model: {mlp: [8]}
optimizer: {lr: 0.01}
train: {epochs: 1}
tracking: {tags: {token: "${env:SECRET_TOKEN}"}}
"""
ALLOWED = ("--env", "SECRET_FOLDER", "--env", "SECRET_TOKEN")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from sklearn.datasets import load_iris

    folder = tmp_path_factory.mktemp("secrets")
    private = folder / "private-place"
    private.mkdir()
    frame = load_iris(as_frame=True).frame
    frame["species"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame.to_csv(private / "iris.csv", index=False)
    (folder / "recipe.yaml").write_text(RECIPE)
    environment = {**os.environ, "SECRET_FOLDER": str(private), "SECRET_TOKEN": "correct-horse-battery"}

    def dlx(*words, env=environment):
        command = [sys.executable, "-m", "dlx", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=env)

    result = dlx("train", "recipe.yaml", *ALLOWED, "--json")
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout), dlx


def test_no_file_of_the_run_and_no_parameter_holds_the_token(run):
    folder, result, _ = run
    written = [p for p in (folder / result["folder"]).rglob("*") if p.is_file()]
    assert any(p.suffix == ".ckpt" for p in written)
    assert [p for p in written if b"correct-horse" in p.read_bytes()] == []


def test_evaluation_reads_the_environment_again(run):
    _, result, dlx = run
    again = dlx("eval", result["folder"], *ALLOWED, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["metrics"]["test/accuracy"] == result["metrics"]["test/accuracy"]


def test_a_variable_that_is_gone_is_named(run):
    _, result, dlx = run
    bare = {k: v for k, v in os.environ.items() if not k.startswith("SECRET_")}
    refused = dlx("eval", result["folder"], *ALLOWED, env=bare)
    assert refused.returncode == 2
    assert "SECRET_" in refused.stderr


def test_a_strangers_run_reads_nothing_that_was_not_allowed(run):
    _, result, dlx = run
    refused = dlx("eval", result["folder"])
    assert refused.returncode == 2
    assert "--env SECRET_" in refused.stderr
