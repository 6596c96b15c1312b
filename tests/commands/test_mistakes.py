"""Mistakes in names and options are found before torch is imported, and whoever waits is told what for."""

import json
import time

import pytest

from dlx.notices import notice_if_slow

RECIPE = "name: toy\ntask: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\n"


@pytest.fixture
def run(tmp_path):
    """A folder with a finished run that has a checkpoint, of which nobody gets to read the content."""
    folder = tmp_path / "runs" / "toy-1"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"")
    (folder / "run.json").write_text(
        json.dumps({"name": "toy", "status": "FINISHED", "metrics": {"test/accuracy": 0.5}})
    )
    (folder / "resolved.yaml").write_text(RECIPE)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "absent", "r.yaml"], "no run 'absent'"),
        (["predict", "last", "absent.csv"], "no input absent.csv"),
        (["predict", "last", "r.yaml", "-o", "x.txt"], ".csv"),
        (["eval", "absent"], "no run 'absent'"),
        (["eval", "runs/toy-1/checkpoints/last.ckpt"], "no checkpoint"),
        (["eval", "last", "--data", "absent"], "no file or folder absent"),
        (["eval", "last", "--split", "all"], "no split 'all'"),
        (["embed", "last", "absent.csv"], "no input absent.csv"),
        (["embed", "last", "r.yaml", "-o", "x.txt"], ".parquet"),
        (["generate", "absent"], "no run 'absent'"),
        (["generate", "last", "--temperature", "-1"], "temperature"),
        (["generate", "last", "-o", "x.txt"], ".npz"),
        (["train", "--resume", "absent"], "no run 'absent'"),
        (["train", "--resume", "last"], "is finished"),
        (["train", "--resume", "last", "train.epochz=3"], "epochz"),
        (["train", "absent.yaml"], "no file absent.yaml"),
        (["train", "r.yaml", "model=leenear"], "leenear"),
    ],
    ids=str,
)
def test_a_mistake_is_found_without_torch(dlx, run, words, message):
    result = dlx(*words, cwd=run)
    assert result.returncode == 2 and message in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "notice"),
    [
        (["train", "r.yaml"], "toy  15 parameters"),
        (["eval", "last"], "loading runs/toy-1/checkpoints/best.ckpt"),
        (["predict", "last", "r.yaml"], "loading runs/toy-1/checkpoints/best.ckpt"),
        (["embed", "last", "r.yaml"], "loading runs/toy-1/checkpoints/best.ckpt"),
        (["generate", "last"], "loading runs/toy-1/checkpoints/best.ckpt"),
    ],
    ids=str,
)
def test_something_is_on_the_screen_before_torch_is_imported(dlx, run, words, notice):
    """Importing it takes seconds. Here it cannot be imported: what is printed was printed before."""
    result = dlx(*words, cwd=run)
    assert result.returncode == 1 and "must not be imported" in result.stderr
    assert notice in result.stderr.partition("Traceback")[0]


def test_a_notice_is_shown_only_where_something_takes_long():
    shown = []
    with notice_if_slow(shown.append, "quick", seconds=60):
        pass
    with notice_if_slow(shown.append, "slow", seconds=0.01):
        deadline = time.monotonic() + 30
        while not shown and time.monotonic() < deadline:
            time.sleep(0.01)
    assert shown == ["slow"]
