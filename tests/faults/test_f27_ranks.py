"""F27: a process of a distributed run dies, or the run is told to stop: all of them end, and the run says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlx.engine.checkpoint import load_checkpoint

RECIPE = """
name: long
task: classification
data: {source: {sklearn: iris}}
model: {mlp: {hidden: [8]}}
train: {epochs: 100000}
hardware: {accelerator: cpu, devices: 2, num_threads: 1}
"""
TIMEOUT = 40.0
"""Seconds in which everything is over: the grace that processes are given, and an interpreter that ends."""


@pytest.fixture
def running(tmp_path):
    """Start a run with two processes; return its own and the others' ids, once it trains."""
    (tmp_path / "r.yaml").write_text(RECIPE)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlx", "train", "r.yaml"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            break
    found = children(process.pid)
    yield process, found
    for pid in (process.pid, *found):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def children(parent):
    """Return the processes of the run that a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "dlx.engine.runs.launch" in line]


def is_alive(pid):
    """Say whether a process runs; one that ended and waits to be asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pids):
    until = time.monotonic() + TIMEOUT
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(map(is_alive, pids))


def status(folder):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return run.info.status


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_and_fails_the_run(running, tmp_path):
    process, (other,) = running
    os.kill(other, signal.SIGKILL)
    _, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "process 1 of 2 was killed by SIGKILL" in said and "Traceback" not in said
    assert status(tmp_path) == "FAILED" and ended([other])


@pytest.mark.slow
def test_a_process_that_hangs_and_dies_ends_the_others(running, tmp_path):
    """The first process waits for one that is stopped, and hears of its death from no connection."""
    process, (other,) = running
    os.kill(other, signal.SIGSTOP)
    time.sleep(1)
    os.kill(other, signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1 and status(tmp_path) == "FAILED" and ended([other])


@pytest.mark.slow
def test_the_others_do_not_outlive_the_first(running):
    process, others = running
    process.kill()
    process.communicate()
    assert ended(others)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_all_with_a_checkpoint(running, tmp_path, number, code):
    process, others = running
    began = time.time()
    process.send_signal(number)
    _, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == code, said
    last = max(tmp_path.glob("runs/*/checkpoints/step-*.ckpt"))
    assert last.stat().st_mtime >= began - 0.1 and len(load_checkpoint(last)["random_of_others"]) == 1
    assert status(tmp_path) == "KILLED" and ended(others)
