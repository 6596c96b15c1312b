"""Lists, comparisons and what can go: from the directories alone."""

import json
import os
import subprocess
import sys
import time

import pytest

from dlx.errors import UsageError
from dlx.tracking.comparison import compare_runs
from dlx.tracking.leftovers import find_leftovers
from dlx.tracking.listing import filter_runs, list_runs
from dlx.tracking.spool import Spool


def made(root, name, status, lr=0.1, age=0.0, **metrics):
    folder = root / name
    (folder / "checkpoints").mkdir(parents=True)
    for checkpoint in ("best.ckpt", "last.ckpt", "last.ckpt.sha256"):
        (folder / "checkpoints" / checkpoint).write_bytes(b"x" * 1000)
    said = {"uri": "sqlite:///x.db", "token": "t", "host": "h", "status": status, "run_id": f"id{name}"}
    (folder / "tracking.json").write_text(json.dumps(said))
    record = {"name": name.rpartition("-")[0], "metrics": metrics, "time": time.time() - age, "seconds": 2.0}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "resolved.yaml").write_text(f"optimizer: {{type: adamw, lr: {lr}}}\nseed: 1\n")
    moment = time.time() - age
    os.utime(folder / "run.json", (moment, moment))
    return folder


@pytest.fixture
def root(tmp_path):
    made(tmp_path / "runs", "iris-aaaaaa", "FINISHED", 0.1, 300, **{"test/accuracy": 0.9})
    made(tmp_path / "runs", "iris-bbbbbb", "FAILED", 0.2, 200)
    made(tmp_path / "runs", "wine-cccccc", "FINISHED", 0.3, 100, **{"test/accuracy": 0.95})
    made(tmp_path / "runs", "wine-dddddd", "RUNNING", 0.4, 50)
    return tmp_path / "runs"


def names(runs):
    return [run.run[-1] for run in runs]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [(["test/accuracy>0.92"], "c"), (["test/accuracy<=0.9"], "a"), (["state=failed"], "b"), (["iris"], "ab"),
     (["state!=FINISHED"], "bd"), (["wine", "state=KILLED"], "d"), (["nothing>3"], "")],
)  # fmt: skip
def test_filters(root, filters, kept):
    assert names(filter_runs(list_runs(root), filters, None, None)) == list(kept)


def test_sorting_and_limits(root):
    runs = list_runs(root)
    assert names(runs) == list("abcd"), "oldest first"
    assert names(filter_runs(runs, [], "-test/accuracy", None))[-2:] == ["c", "a"]
    assert names(filter_runs(runs, [], "test/accuracy", 1)) == ["c"]
    with pytest.raises(UsageError, match=r"no run has 'nonsense'; there are run, state, .*test/accuracy"):
        filter_runs(runs, [], "nonsense", None)
    with pytest.raises(UsageError, match="a number"):
        filter_runs(runs, ["test/accuracy>high"], None, None)


def test_a_run_lives_while_its_process_does(root):
    spool = Spool(root / "wine-dddddd")
    assert list_runs(root)[-1].state == "RUNNING"
    spool.close(finished=False)
    listed = list_runs(root)[-1]
    assert listed.state == "KILLED" and listed.unsent


def test_the_first_metric_of_test_is_listed_and_a_trial_is_marked(root):
    record = {"time": 1.0, "metrics": {"test/loss": 2.0, "test/recall": 0.5, "test/f1": 0.7}, "fast_dev_run": True}
    (root / "iris-aaaaaa/run.json").write_text(json.dumps(record))
    run = next(run for run in list_runs(root) if run.run == "iris-aaaaaa")
    assert (run.metric, run.value, run.fast_dev_run) == ("test/recall", 0.5, True)
    assert [other.run for other in list_runs(root) if other.fast_dev_run] == ["iris-aaaaaa"]


def test_a_damaged_record_is_listed_as_such(root):
    (root / "iris-aaaaaa/run.json").write_text("{half")
    assert "UNREADABLE" in [run.state for run in list_runs(root)]


def test_comparison_shows_what_differs_beside_what_came_of_it(root):
    found = compare_runs([root / "iris-aaaaaa", root / "wine-cccccc", root / "iris-bbbbbb"])
    assert found.recipe == {"optimizer.lr": [0.1, 0.3, 0.2]}
    assert found.metrics == {"test/accuracy": [0.9, 0.95, None]}


def test_gc_keeps_what_is_needed(root):
    old = root / "iris-aaaaaa/checkpoints"
    half = root / "wine-cccccc/.run.json.abc.tmp"
    half.write_bytes(b"x" * 10)
    os.utime(half, (0, 0))
    found = find_leftovers(root, keep=2, days=0)
    assert {i.path for i in found} == {half, old / "last.ckpt", old / "last.ckpt.sha256"}
    assert sum(i.bytes for i in found) == 2010
    assert [i.path for i in find_leftovers(root, keep=9, days=0)] == [half]
    assert [i.path for i in find_leftovers(root, keep=0, days=1)] == [half]


def dlx(*words, cwd):
    command = [sys.executable, "-X", "importtime", "-m", "dlx", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_the_commands_themselves(root):
    folder = root.parent
    listed = dlx("runs", "--filter", "iris", "--json", cwd=folder)
    assert [run["state"] for run in json.loads(listed.stdout)] == ["FINISHED", "FAILED"]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert not imported & {"torch", "mlflow", "pandas", "sklearn"}, "a list must be quick"
    dry = json.loads(dlx("gc", "--keep", "0", "--days", "0", "--json", cwd=folder).stdout)
    assert dry["bytes"] == 4000 and not dry["deleted"]
    assert (root / "iris-aaaaaa/checkpoints/last.ckpt").exists()
    dlx("gc", "--keep", "0", "--days", "0", "--delete", cwd=folder)
    assert not (root / "iris-aaaaaa/checkpoints/last.ckpt").exists()
    assert (root / "iris-aaaaaa/checkpoints/best.ckpt").exists()
    assert (root / "iris-bbbbbb/checkpoints/last.ckpt").exists(), "a run that failed can still be resumed"
    assert dlx("gc", "--keep", "0", "--days", "0", cwd=folder).stdout.startswith("nothing can be deleted in runs")
    assert dlx("runs", "--filter", "nonsense", cwd=folder).stdout == "none of 4 runs in runs fits nonsense\n"
