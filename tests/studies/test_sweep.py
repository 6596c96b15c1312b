"""Sweeps as a person runs them: their trials are runs, interruptions cost nothing, several workers share them."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from kit import quiet

import dlx
from dlx.errors import RecipeError, RunError, UsageError
from dlx.studies.folder import open_study
from dlx.studies.sweep import SweepOptions, resume_sweep, stop_sweep, sweep_status

RECIPE = """
name: digits
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [16]}}
train: {epochs: 4, batch_size: 64}
hardware: {num_threads: 1}
sweep:
  search: {random: {trials: 6}}
  over:
    optimizer.adamw.lr: {log: [1.0e-4, 0.1]}
    model: {any: [{linear: {}}, {mlp: {hidden: [{int: [8, 32]}]}}]}
  halving: {rungs: [1, 2], keep: 0.5}
  monitor: val/accuracy
expect: {sweep/best: ">= 0.8"}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


def weights(study, number):
    path = study.trial(number) / "checkpoints" / "best.ckpt"
    return torch.load(path, weights_only=True)["state_dict"]


def told(report):
    return [(t.number, dict(t.params), t.status, t.values) for t in report.trials.values()]


def test_a_trial_ends_as_the_same_recipe_trained_alone(folder):
    report = dlx.sweep("r.yaml", console=quiet())
    assert report.counts["paused"] >= 3
    assert report.counts["finished"] + report.counts["paused"] == 6
    best = report.best[0]
    assert report.claims_hold
    (folder / "one.yaml").write_text(RECIPE.partition("sweep:")[0])
    spec = {"mlp": {"hidden": [best.params["model.mlp.hidden.0"]]}} if best.params["model"] == "mlp" else "linear"
    alone = dlx.train(
        "one.yaml", {"optimizer.adamw.lr": best.params["optimizer.adamw.lr"], "model": spec}, console=quiet()
    )
    mine, other = (
        weights(open_study("last", folder / "runs"), best.number),
        torch.load(alone.checkpoint, weights_only=True),
    )
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in mine.items())
    assert best.metrics["test/accuracy"] == alone.metrics["test/accuracy"]
    figures = {path.stem for path in (report.folder / "figures").glob("*.png")}
    assert figures == {"history", "parameters", "parallel", "importance", "rungs"}


def _journal_lines(folder):
    return sum(len(path.read_text().splitlines()) for path in folder.glob("runs/*/journal.jsonl"))


def test_what_was_killed_goes_on_and_ends_as_if_it_had_not(folder):
    whole = dlx.sweep("r.yaml", root="whole", console=quiet())
    command = [sys.executable, "-m", "dlx", "sweep", "r.yaml"]
    for _ in range(3):
        lines = _journal_lines(folder)
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while _journal_lines(folder) < lines + 2:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        name = open_study("last", folder / "runs").name
        command = [sys.executable, "-m", "dlx", "sweep", "--resume", name]
    report = resume_sweep("last", SweepOptions(quiet()))
    assert told(report) == told(whole)
    assert report.best[0].metrics == whole.best[0].metrics


def test_a_trial_that_cannot_be_trained_is_recorded_and_the_study_goes_on(folder):
    overrides = ["sweep.halving=null", "train.epochs=1", "sweep.search={random: {trials: 4}}"]
    overrides += ["sweep.over={optimizer.sgd.lr: [0.1, 1.0e+30]}", "optimizer=sgd", "expect={}"]
    report = dlx.sweep("r.yaml", overrides, console=quiet())
    assert {t.status for t in report.trials.values()} == {"finished", "failed"}
    failed = next(t for t in report.trials.values() if t.status == "failed")
    assert failed.params["optimizer.sgd.lr"] == 1e30
    assert "loss" in failed.reason
    assert report.best[0].params["optimizer.sgd.lr"] == 0.1
    with pytest.raises(RunError, match="no trial came to an end; trial 0: the training loss"):
        dlx.sweep(
            "r.yaml", [*overrides[:3], "sweep.over={optimizer.sgd.lr: [1.0e+30]}", *overrides[4:]], console=quiet()
        )


def test_two_workers_share_the_trials(folder):
    report = dlx.sweep("r.yaml", ["sweep.halving=null", "train.epochs=1"], workers=2, console=quiet())
    assert report.counts["finished"] == 6
    events = [json.loads(line) for line in (report.folder / "journal.jsonl").read_text().splitlines()]
    assert len({event["worker"] for event in events if event["event"] == "begin"}) == 2
    alone = dlx.sweep("r.yaml", ["sweep.halving=null", "train.epochs=1"], root="alone", console=quiet())
    assert sorted(map(repr, told(report))) == sorted(map(repr, told(alone)))


def test_only_the_best_keep_their_checkpoints(folder):
    report = dlx.sweep("r.yaml", ["sweep.halving=null", "sweep.keep_checkpoints=2", "train.epochs=1"], console=quiet())
    study = open_study("last", folder / "runs")
    having = {n for n in report.trials if (study.trial(n) / "checkpoints" / "best.ckpt").exists()}
    assert having == {t.number for t in report.best[:2]}


def test_a_study_is_stopped_and_goes_on(folder):
    command = [sys.executable, "-m", "dlx", "sweep", "r.yaml"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(folder.glob("runs/*/trial-0000")) and time.monotonic() < until:
        time.sleep(0.05)
    stop_sweep("last", folder / "runs")
    out, _ = process.communicate(timeout=60)
    name = open_study("last", folder / "runs").name
    assert f"next        dlx sweep --resume {name}" in out
    assert not sweep_status("last", folder / "runs").is_finished
    assert resume_sweep("last", SweepOptions(quiet())).is_finished


def test_several_seeds_are_trained_for_every_trial(folder):
    report = dlx.sweep(
        "r.yaml", ["sweep.seeds=2", "sweep.search={random: {trials: 2}}", "sweep.halving=null"], console=quiet()
    )
    study = open_study("last", folder / "runs")
    runs = [json.loads((study.trial(0, seed, 2) / "run.json").read_text())["metrics"] for seed in (0, 1)]
    assert runs[0] != runs[1]
    assert report.trials[0].value == pytest.approx(sum(run["val/accuracy"] for run in runs) / 2)


def test_everything_is_checked_before_the_first_trial(folder):
    wrong = RECIPE.replace("{int: [8, 32]}", "{int: [0, 32]}").replace("rungs: [1, 2]", "rungs: [1, 9]")
    (folder / "wrong.yaml").write_text(wrong.replace("optimizer.adamw.lr:", "optimizer.adamw.rate:"))
    with pytest.raises(RecipeError) as error:
        dlx.sweep("wrong.yaml", console=quiet())
    found = {(d.line, d.column): d.message for d in error.value.diagnostics}
    assert "unknown field 'rate' in `adamw`" in found[11, 21]
    column = (folder / "wrong.yaml").read_text().splitlines()[11].index("0, 32") + 1
    assert "must be > 0, but is 0" in found[12, column]
    assert any("the last rung lies before the end" in message for message in found.values())
    assert not (folder / "runs").exists()


def test_a_study_is_not_trained_as_if_it_were_one_run(folder):
    with pytest.raises(UsageError, match=r"dlx sweep r\.yaml"):
        dlx.train("r.yaml", console=quiet())
    (folder / "one.yaml").write_text(RECIPE.partition("sweep:")[0])
    with pytest.raises(UsageError, match="no section `sweep`"):
        dlx.sweep("one.yaml", console=quiet())


def test_the_best_trial_is_what_a_study_predicts_with(folder):
    report = dlx.sweep("r.yaml", ["sweep.halving=null", "train.epochs=1"], console=quiet())
    assert dlx.evaluate(report.name).metrics["test/accuracy"] == pytest.approx(report.best[0].metrics["test/accuracy"])
