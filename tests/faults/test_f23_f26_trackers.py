"""F23, F26: a tracker that is away or locked, and runs that start at the same moment, with real processes."""

import json
import os
import socket
import subprocess
import sys

import pytest

RECIPE = """
name: twin
task: classification
data: {source: {sklearn: iris}}
model: {mlp: [8]}
train: {epochs: 3}
hardware: {accelerator: cpu, num_threads: 1}
"""


def begin(folder, *words, **environment):
    env = {**os.environ, "MLFLOW_TRACKING_URI": "", "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", "dlx", *words]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def together(folder, count):
    """Start several runs at once in a new directory, and return what MLflow has of them after a sync."""
    from mlflow.tracking import MlflowClient

    (folder / "r.yaml").write_text(RECIPE)
    processes = [begin(folder, "train", "r.yaml", f"seed={seed}") for seed in range(count)]
    for process in processes:
        _, said = process.communicate(timeout=500)
        assert process.returncode == 0, said
    begin(folder, "runs", "--sync").communicate(timeout=500)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "twin"]
    return client.search_runs([experiment.experiment_id]), client


def check(folder, runs, client, count):
    folders = list(folder.glob("runs/*/run.json"))
    assert len(folders) == len(runs) == len({r.info.run_id for r in runs}) == count
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert {r.data.params["seed"] for r in runs} == {str(seed) for seed in range(count)}
    by_name = {r.info.run_name: r for r in runs}
    for path in folders:
        said = json.loads(path.read_text())["metrics"]["test/accuracy"]
        tracked = by_name[path.parent.name]
        assert tracked.data.metrics["test/accuracy"] == pytest.approx(said)
        assert len(client.get_metric_history(tracked.info.run_id, "val/accuracy")) >= 3
    assert not list(folder.glob("runs/*/tracking.jsonl"))
    assert not list(folder.glob(".mlflow.db*")), "a database in the making is left"


def test_f26_two_runs_at_the_same_moment_in_a_new_directory(tmp_path):
    runs, client = together(tmp_path, 2)
    check(tmp_path, runs, client, 2)


@pytest.mark.slow
def test_f23_eight_runs_on_one_database(tmp_path):
    runs, client = together(tmp_path, 8)
    check(tmp_path, runs, client, 8)


@pytest.mark.slow
def test_f23_a_run_whose_tracker_is_away_finishes_and_is_sent_later(tmp_path):
    from mlflow.tracking import MlflowClient

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "r.yaml").write_text(RECIPE)
    out, said = (p := begin(tmp_path, "train", "r.yaml", "--json", MLFLOW_TRACKING_URI=nobody)).communicate(timeout=200)
    assert p.returncode == 0, said
    assert any("dlx runs --sync" in note for note in json.loads(out)["notes"])
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    failed = begin(tmp_path, "runs", "--sync", MLFLOW_TRACKING_URI=nobody)
    assert "is not completely tracked" in failed.communicate(timeout=200)[1] and failed.returncode == 1
    sent = begin(tmp_path, "runs", "--sync", "--json", MLFLOW_TRACKING_URI=uri)
    (listed,) = json.loads(sent.communicate(timeout=200)[0])
    assert sent.returncode == 0 and listed["state"] == "FINISHED" and not listed["unsent"]
    tracked = MlflowClient(uri).get_run(listed["mlflow_run"])
    assert tracked.info.status == "FINISHED"
    assert tracked.data.metrics["test/accuracy"] == pytest.approx(json.loads(out)["metrics"]["test/accuracy"])
