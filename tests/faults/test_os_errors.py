"""What the operating system says ends no verb in a traceback: every kind of OSError at every verb, and for real."""

import errno
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.errors import DataError
from dlx.files import path_from
from dlx.os_errors import WAYS_OUT, os_message, os_reason

RECIPE = "name: small\ntask: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\ntrain: {epochs: 1}\n"
VERBS = {
    "compare": ["compare", "bad/r.yaml"],
    "diff": ["diff", "bad/r.yaml", "bad/r.yaml"],
    "docs": ["docs", "bad/docs"],
    "embed": ["embed", "bad/x.ckpt", "bad/t.csv"],
    "eval": ["eval", "bad/x.ckpt", "--data", "bad/t.csv"],
    "gc": ["gc", "--root", "bad"],
    "generate": ["generate", "bad/x.ckpt"],
    "init": ["init", "bad/t.csv"],
    "init --output": ["init", "t.csv", "-o", "bad/new.yaml"],
    "plan": ["plan", "bad/r.yaml"],
    "predict": ["predict", "bad/x.ckpt", "bad/t.csv"],
    "runs": ["runs", "--root", "bad"],
    "schema": ["schema", "-o", "bad/s.json"],
    "show": ["show", "bad/r.yaml"],
    "sweep": ["sweep", "bad/r.yaml"],
    "test": ["test", "bad/r.yaml"],
    "train": ["train", "bad/r.yaml"],
    "validate": ["validate", "bad/r.yaml"],
    "why": ["why", "bad/r.yaml", "seed"],
}
LIGHT = sorted(VERBS.keys() - {"embed", "eval", "generate", "predict", "test"})
"""The verbs that meet the file before torch is imported."""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that calls the command line while every file below `bad` answers with an error."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i % 7},{i % 2}" for i in range(60)) + "\n")
    for name, text in {"r.yaml": RECIPE, "t.csv": "a,b\n1,2\n", "x.ckpt": "x"}.items():
        (tmp_path / "bad" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("DLX_DEBUG", "DLX_PLUGINS", "TORCH_CPP_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)

    def call(words, number):
        with monkeypatch.context() as patch:
            for module, function in ((io, "open"), (os, "scandir"), (os, "mkdir"), (tempfile, "mkstemp")):
                patch.setattr(module, function, _failing(getattr(module, function), number))
            patch.setattr(Path, "read_bytes", _failing(Path.read_bytes, number))
            patch.setattr(sys, "argv", ["dlx", *words])
            with pytest.raises(SystemExit) as end:
                main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return call


def _failing(function, number):
    def fails(*arguments, **options):
        for value in (*arguments, *options.values()):
            if isinstance(value, str | Path) and "bad" in Path(value).parts:
                raise OSError(number, os.strerror(number), str(value))
        return function(*arguments, **options)

    return fails


@pytest.mark.parametrize("verb", LIGHT)
def test_every_error_at_every_verb_is_one_message_with_path_and_reason(run, verb):
    silent = []
    for number in WAYS_OUT.keys() - {errno.EPIPE}:  # a reader that is gone is told nothing
        code, _, error = run(VERBS[verb], number)
        assert "Traceback" not in error, (errno.errorcode[number], error)
        if code == 0:
            silent.append(errno.errorcode[number])
            continue
        assert code in (1, 2), (errno.errorcode[number], error)
        assert error.count("error") >= 1 and "bad" in error, (errno.errorcode[number], error)
    assert len(silent) in (0, len(WAYS_OUT) - 1), silent


def test_every_known_error_has_a_way_out_and_others_at_least_their_reason():
    for number, way_out in WAYS_OUT.items():
        assert os_message(OSError(number, os.strerror(number), "a/b")) == f"a/b: {os.strerror(number)}; {way_out}"
    assert os_reason(OSError("odd")) == "odd"
    assert os_reason(OSError(errno.ECHILD, "")) == os.strerror(errno.ECHILD)
    assert os_message(OSError()) == "OSError"


def test_a_path_of_ten_thousand_characters_is_named_but_not_shown_whole():
    message = os_message(OSError(errno.ENAMETOOLONG, "File name too long", "x" * 10_000))
    assert len(message) < 300 and message.endswith("use a shorter name or path")


@pytest.mark.parametrize(
    ("text", "why"),
    [("a\0b", "NUL"), ("~nobody-of-this-name/a", "no home folder"), ("x" * 10_000, "too long"), ("y/" * 5_000, "long")],
)
def test_what_can_be_no_path_is_refused(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        path_from(tmp_path, text)


def test_home_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_from(Path("elsewhere"), "~/a.csv") == tmp_path / "a.csv"


def _dlx(folder, *words, **options):
    command = [sys.executable, "-m", "dlx", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, **options)


def test_a_full_output_is_said_once(tmp_path):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "dlx", "list"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: No space left on device; free some space, or write to another disk"]


def test_a_trained_result_survives_whatever_fails_after_training(tmp_path, monkeypatch):
    """From the end of training on, every write of the run fails as on a full disk; the metrics are returned."""
    import dlx
    from dlx.engine.training.fit import FaultTolerantFit

    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    train = FaultTolerantFit._attempt

    def then_full(self, *arguments):
        result = train(self, *arguments)
        monkeypatch.setattr(tempfile, "mkstemp", _failing_everywhere)
        return result

    monkeypatch.setattr(FaultTolerantFit, "_attempt", then_full)
    run = dlx.train("r.yaml")
    assert run.status == "FINISHED" and run.metrics["test/accuracy"] > 0
    assert any("run.json" in note and "No space left" in note for note in run.notes)


def test_extra_measures_that_fail_cost_no_result(tmp_path, monkeypatch):
    import dlx
    from dlx.engine.runs import run as running

    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    for name in ("measure_baselines", "export_section", "measure_sampling_seconds"):
        monkeypatch.setattr(running, name, _failing_everywhere)
    monkeypatch.setattr(running.RunRecord, "finish", _failing_everywhere)
    run = dlx.train("r.yaml", {"train.figures": False})
    assert run.status == "FINISHED" and run.metrics["test/accuracy"] > 0
    assert sum("No space left" in note for note in run.notes) == 4


def test_a_checkpoint_that_cannot_be_written_costs_no_result(tmp_path, monkeypatch):
    """The disk is full whenever a checkpoint is to be written: weights stay in memory, and are tested."""
    import dlx
    from dlx.engine import checkpoint

    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.setattr(checkpoint, "atomic_writer", _failing_everywhere)
    run = dlx.train("r.yaml", {"train.figures": False})
    assert run.status == "FINISHED" and run.metrics["test/accuracy"] > 0
    assert sum("No space left on device; free some space" in note for note in run.notes) == 2
    assert any("the best weights are not saved" in note for note in run.notes)
    assert not list((run.folder / "checkpoints").glob("*.ckpt"))


def _failing_everywhere(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
