"""F06, F07: a run that is told to stop saves, says that it was killed, and exits as the signal asks."""

import json
import signal
import subprocess
import sys
import time

import pytest

import dlx

RECIPE = """
name: long
task: classification
data: {source: {sklearn: digits}}
model: {mlp: {hidden: [32]}}
train: {epochs: 100000}
hardware: {accelerator: cpu, num_threads: 1}
"""


def started(folder):
    (folder / "r.yaml").write_text(RECIPE)
    command = [sys.executable, "-m", "dlx", "train", "r.yaml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            return process
    raise AssertionError("training did not begin")


def status(folder):
    from mlflow.tracking import MlflowClient

    (record,) = folder.glob("runs/*/run.json")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    return client.get_run(json.loads(record.read_text())["mlflow_run"]).info.status


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_marks_the_run_killed(tmp_path, monkeypatch, number, code):
    process = started(tmp_path)
    began = time.time()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert status(tmp_path) == "KILLED"
    last = max(tmp_path.glob("runs/*/checkpoints/step-*.ckpt"))
    assert last.stat().st_mtime >= began - 0.1, "what was saved is older than the signal"
    monkeypatch.chdir(tmp_path)
    assert dlx.evaluate(last).metrics["test/accuracy"] > 0.2


def test_f07_a_second_ctrl_c_does_not_wait(tmp_path):
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert status(tmp_path) == "KILLED"
