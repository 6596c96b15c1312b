"""What a run tells its tracker arrives: at once, or later from disk; and it never stays RUNNING."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from dlx.tracking.logger import MLflowTracker
from dlx.tracking.spool import Spool, is_running, read_state
from dlx.tracking.sync import mark_killed, sync_runs


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A busy computer takes its time, which is no failure."""
    monkeypatch.setattr("dlx.tracking.logger.CLOSE_SECONDS", dict.fromkeys(("FINISHED", "FAILED", "KILLED"), 120.0))


def history(client, run_id, name):
    return [(m.step, m.value) for m in client.get_metric_history(run_id, name)]


def test_everything_arrives(tmp_path, opened, store):
    uri, client = store
    tracker = opened(tmp_path / "runs/a", uri)
    tracker.log_params({"optimizer.lr": 0.1, "long": "x" * 7000})
    for step in range(2500):
        tracker.log_metrics({"train/loss": 1 / (step + 1), "epoch": 3.0}, step)
    tracker.set_tags({"mlflow.user": "somebody", "color": "red"})
    (tmp_path / "note.txt").write_text("hello")
    tracker.log_file(tmp_path / "note.txt", "notes")
    assert "long" in " ".join(tracker.close("FINISHED"))
    run = client().get_run(tracker.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "a"
    assert run.data.params["optimizer.lr"] == "0.1" and len(run.data.params["long"]) == 6000
    assert history(client(), tracker.run_id, "train/loss") == [(s, 1 / (s + 1)) for s in range(2500)]
    assert "epoch" not in run.data.metrics
    assert run.data.tags["color"] == "red" and run.data.tags["user.mlflow.user"] == "somebody"
    assert [a.path for a in client().list_artifacts(tracker.run_id, "notes")] == ["notes/note.txt"]
    assert not (tmp_path / "runs/a/tracking.jsonl").exists()


def test_what_is_not_finite_is_no_number(tmp_path, opened, store):
    uri, client = store
    tracker = opened(tmp_path / "runs/a", uri)
    for step, value in enumerate([1.0, math.inf, math.nan, 2.0]):
        tracker.log_metrics({"train/loss": value}, step)
    notes = tracker.close("FINISHED")
    assert sum("train/loss was inf in step 1" in n for n in notes) == len(notes) == 1
    assert history(client(), tracker.run_id, "train/loss") == [(0, 1.0), (3, 2.0)]
    assert client().get_run(tracker.run_id).data.tags["dlx.not_finite.train/loss"] == "inf in step 1"


def test_names_that_mlflow_refuses_are_said_once_and_stay_two(tmp_path, opened, store):
    uri, client = store
    tracker = opened(tmp_path / "runs/a", uri)
    for step in range(3):
        tracker.log_metrics({"f1@0.5": 1.0, "f1#0.5": 2.0}, step)
    notes = tracker.close("FINISHED")
    assert len(notes) == 2
    assert sorted(client().get_run(tracker.run_id).data.metrics.values()) == [1.0, 2.0]


def test_a_resumed_run_goes_on_without_telling_twice(tmp_path, opened, store):
    uri, client = store
    first = opened(tmp_path / "runs/a", uri)
    for step in range(10):
        first.log_metrics({"train/loss": float(step)}, step)
    first.close("KILLED")
    state = read_state(tmp_path / "runs/a")
    assert client().get_run(state.run_id).info.status == "KILLED"
    again = MLflowTracker(tmp_path / "runs/a", state)
    again.put_on_disk({"kind": "resume"})
    again.start()
    for step in range(5, 15):
        again.log_metrics({"train/loss": float(step), "val/loss": 0.5}, step)
    again.close("FINISHED")
    assert again.run_id == first.run_id
    assert history(client(), again.run_id, "train/loss") == [(s, float(s)) for s in range(15)]
    assert [s for s, _ in history(client(), again.run_id, "val/loss")] == list(range(5, 15))
    assert client().get_run(again.run_id).info.status == "FINISHED"


def test_half_a_line_of_a_killed_process_is_passed_over(tmp_path):
    (tmp_path / "tracking.jsonl").write_bytes(b'{"kind": "tags", "values": {}}\n{"kind": "me')
    spool = Spool(tmp_path)
    spool.append([{"kind": "end"}], durable=True)
    assert [e["kind"] for _, e in spool.after(0)] == ["tags", "end"]
    assert is_running(tmp_path), "its lock is held"
    with pytest.raises(OSError):
        Spool(tmp_path)
    spool.close(finished=False)
    assert not is_running(tmp_path)


KILLED = """
import sys, time
from pathlib import Path
from dlx.tracking.logger import MLflowTracker
from dlx.tracking.spool import TrackingState
import socket
creation = {"experiment": "trial", "name": "a", "tags": {}, "time": 1}
tracker = MLflowTracker(Path(sys.argv[1]), TrackingState(sys.argv[2], "t", socket.gethostname(), creation=creation))
tracker.start()
while tracker.run_id is None:
    time.sleep(0.05)
tracker.state.save(tracker.folder)
print("begun", flush=True)
time.sleep(100)
"""


def test_a_killed_process_leaves_no_run_running(tmp_path, store):
    uri, client = store
    folder = tmp_path / "runs/a"
    folder.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), uri], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    run_id = read_state(folder).run_id
    assert is_running(folder) and not mark_killed(folder) and sync_runs(tmp_path / "runs") == []
    assert client().get_run(run_id).info.status == "RUNNING"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert sync_runs(tmp_path / "runs") == []
    assert client().get_run(run_id).info.status == "KILLED" == read_state(folder).status
    assert not (folder / "tracking.jsonl").exists()


def test_f23_nothing_is_lost_while_the_tracker_is_away(tmp_path, opened, store, refusing, monkeypatch):
    uri, client = store
    monkeypatch.setattr("dlx.tracking.logger.MAX_POINTS_IN_MEMORY", 4_000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing)
    tracker = opened(tmp_path / "runs/a", "${env:MLFLOW_TRACKING_URI}")
    began = time.thread_time()  # of this thread alone, whatever else the computer does
    for step in range(12_000):
        tracker.log_metrics({"train/loss": float(step)}, step)
    assert time.thread_time() - began < 5, "100 µs a call would be slow"
    assert len(tracker._points) + sum(len(e.get("points", ())) for e in tracker._pending) <= 5_000, "memory is bounded"
    began = time.perf_counter()
    notes = tracker.close("FINISHED")
    assert time.perf_counter() - began < 10
    assert len(notes) == 1 and "dlx runs --sync" in notes[0]
    lines = (tmp_path / "runs/a/tracking.jsonl").read_text().splitlines()
    assert sum(len(json.loads(line).get("points", ())) for line in lines) == 12_000
    assert refusing not in (tmp_path / "runs/a/tracking.json").read_text(), "an address may hold a password"
    (trouble,) = sync_runs(tmp_path / "runs")
    assert trouble.folder.name == "a"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert sync_runs(tmp_path / "runs") == []
    run_id = read_state(tmp_path / "runs/a").run_id
    assert len(history(client(), run_id, "train/loss")) == 12_000
    assert client().get_run(run_id).info.status == "FINISHED"
    assert not (tmp_path / "runs/a/tracking.jsonl").exists()


@pytest.mark.parametrize(("seconds", "status"), [(0, 500), (5, 500), (60, 200)], ids=["500", "slow", "silent"])
def test_f23_a_bad_server_costs_the_training_thread_nothing(tmp_path, opened, bad_server, monkeypatch, seconds, status):
    monkeypatch.setattr("dlx.tracking.logger.CLOSE_SECONDS", {"FAILED": 2.0})
    tracker = opened(tmp_path / "runs/a", bad_server(seconds, status))
    slowest = 0.0
    for step in range(200):
        began = time.perf_counter()
        tracker.log_metrics({"train/loss": 1.0}, step)
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.002)
    assert slowest < 0.3
    began = time.perf_counter()
    assert any("dlx runs --sync" in note for note in tracker.close("FAILED"))
    assert time.perf_counter() - began < 6
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "runs/a/tracking.jsonl").read_text().splitlines()]
    assert "metrics" in kinds and "end" in kinds
    assert not is_running(tmp_path / "runs/a")
