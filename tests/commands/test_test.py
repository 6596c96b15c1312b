"""`dlx test` and `dlx runs`: recipes are run for their claims, and runs are listed."""

import json
import subprocess
import sys

import pytest

BASE = """
name: NAME
task: classification
data: {source: {sklearn: iris}}
model: linear
train: {epochs: 1}
hardware: {accelerator: cpu, num_threads: 1}
expect: EXPECT
"""
CLAIMS = {
    "plan-holds": "{plan/parameters: 15}",
    "plan-fails": "{plan/parameters: 16}",
    "trains": '{plan/parameters: 15, test/accuracy: ">= 0", test/loss: "<= 0"}',
    "silent": "{}",
    "wrong": "{test/acuracy: 1}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("test")
    for name, claims in CLAIMS.items():
        (folder / f"{name}.yaml").write_text(BASE.replace("NAME", name).replace("EXPECT", claims))
    return folder


def call(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "dlx", *words], cwd=folder, capture_output=True, text=True, timeout=180
    )


def test_claims_on_the_plan_are_checked_without_training(folder):
    result = call(folder, "test", "plan-holds.yaml", "--json", "--root", "none")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(result.stdout)
    assert (row["metric"], row["value"], row["verdict"], row["trained"]) == ("plan/parameters", 15, "held", False)
    assert not (folder / "none").exists()


def test_one_failed_claim_is_exit_1_and_every_recipe_has_its_verdicts(folder):
    result = call(folder, "test", *(f"{name}.yaml" for name in CLAIMS), "--json")
    assert result.returncode == 1, result.stderr
    verdicts = {
        (row["recipe"].removesuffix(".yaml"), row["metric"]): row["verdict"] for row in json.loads(result.stdout)
    }
    assert verdicts == {
        ("plan-holds", "plan/parameters"): "held",
        ("plan-fails", "plan/parameters"): "failed",
        ("trains", "plan/parameters"): "held",
        ("trains", "test/accuracy"): "held",
        ("trains", "test/loss"): "failed",
        ("silent", None): "no claims",
        ("wrong", None): "error",
    }
    assert "test/accuracy" in result.stderr
    listed = json.loads(call(folder, "runs", "--json").stdout)
    (run,) = listed
    assert run["run"].startswith("trains-")
    assert run["verdict"] == "failed"
    assert run["metric"] == "test/accuracy"
    assert "trains-" in call(folder, "runs").stdout


def test_a_folder_stands_for_its_recipes(folder, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "r.yaml").write_text((folder / "plan-fails.yaml").read_text())
    result = call(folder, "test", str(tmp_path))
    assert result.returncode == 1
    assert "plan/parameters 16" in result.stdout.replace("\n", " ")
    assert "0 of 1" in result.stdout


def test_no_runs_are_said(tmp_path):
    assert "no runs" in call(tmp_path, "runs").stdout
    assert json.loads(call(tmp_path, "runs", "--json").stdout) == []


def test_an_unreadable_record_is_listed_as_such(tmp_path):
    (tmp_path / "runs" / "a-1").mkdir(parents=True)
    (tmp_path / "runs" / "a-1" / "run.json").write_text("{")
    (row,) = json.loads(call(tmp_path, "runs", "--json").stdout)
    assert (row["run"], row["state"]) == ("a-1", "UNREADABLE")
