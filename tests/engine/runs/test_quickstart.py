"""The first recipe through the whole path: YAML, plan, Lightning, MLflow, and what a person finds afterward."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-m", "dlx", "train", str(ROOT / "recipes/quickstart.yaml"), "--strict", "--json"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return folder, result


def test_quickstart_reaches_its_claim(done):
    _, result = done
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["metrics"]["test/accuracy"] >= 0.96


def test_quickstart_is_an_mlflow_run(done):
    from mlflow.tracking import MlflowClient

    folder, result = done
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    run = client.get_run(json.loads(result.stdout)["mlflow_run"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/accuracy"] == pytest.approx(json.loads(result.stdout)["metrics"]["test/accuracy"])
    assert run.data.params["optimizer.lr"] == "0.003"
    assert len(client.get_metric_history(run.info.run_id, "val/accuracy")) >= 20
    assert {"recipe.yaml", "resolved.yaml", "lock.json", "checkpoints"} <= {
        a.path for a in client.list_artifacts(run.info.run_id)
    }


def test_quickstart_prints_where_it_is_and_one_line_an_epoch(done):
    folder, result = done
    assert result.stderr.count("epoch ") == 20
    assert (folder / json.loads(result.stdout)["folder"] / "resolved.yaml").exists()
