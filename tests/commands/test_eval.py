"""`dlx eval`: the numbers of training again, other splits, other data, data that changed."""

import json
import subprocess
import sys

import numpy as np
import pytest
from kit import quiet

import dlx
from dlx.errors import DataError, UsageError

RECIPE = """
name: mixed
task: classification
data:
  source: {type: table, path: rows.csv, target: kind}
  augment: []
model: {mlp: {hidden: [8]}}
regularize: {dropout: {p: 0.3}, label_smoothing: 0.1}
train: {epochs: 2, batch_size: 16, limit_test_samples: 25}
hardware: {accelerator: cpu, num_threads: 1}
expect: {test/accuracy: ">= 0"}
"""


def rows(n, seed, colors=("red", "green", "blue")):
    generator = np.random.default_rng(seed)
    lines = ["size,color,kind"]
    for _ in range(n):
        size, color = generator.normal(), generator.choice(colors)
        lines.append(f"{size:.4f},{color},{'big' if size + (color == colors[0]) > 0.5 else 'small'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    (folder / "r.yaml").write_text(RECIPE)
    (folder / "rows.csv").write_text(rows(300, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder, dlx.train("r.yaml", root=folder / "runs", console=quiet())


def measured(metrics, split="test"):
    return {name: value for name, value in metrics.items() if name.startswith(f"{split}/")}


def test_the_test_split_gives_exactly_what_training_measured(trained):
    _, run = trained
    done = dlx.evaluate(run.folder)
    assert done.metrics == measured(run.metrics)
    assert done.samples == 25
    assert done.claims == {"test/accuracy": True}
    assert done.notes == []


def test_the_val_split_gives_exactly_what_training_measured(trained):
    _, run = trained
    assert dlx.evaluate(run.checkpoint, "val").metrics == measured(run.metrics, "val")


def test_the_train_split_is_measured_whole_and_without_dropout(trained):
    _, run = trained
    done = dlx.evaluate(run.folder, "train")
    assert done.samples == 243
    assert set(done.metrics) == {"train/loss", "train/accuracy"}
    assert done.metrics == dlx.evaluate(run.folder, "train").metrics


def test_other_data_are_encoded_as_training_encoded_its_own(trained):
    folder, run = trained
    (folder / "same.csv").write_text((folder / "rows.csv").read_text())
    whole = dlx.evaluate(run.folder, data=folder / "same.csv")
    parts = [dlx.evaluate(run.folder, split) for split in ("train", "val")]
    assert whole.samples == 300
    # Of green rows alone a fresh encoding would call green 1, as training called blue.
    text = (folder / "rows.csv").read_text().splitlines()
    green = [line for line in text[1:] if ",green," in line]
    (folder / "green.csv").write_text("\n".join([text[0], *green]) + "\n")
    rest = [line for line in text[1:] if ",green," not in line]
    (folder / "rest.csv").write_text("\n".join([text[0], *rest]) + "\n")
    some = [dlx.evaluate(run.folder, data=folder / name) for name in ("green.csv", "rest.csv")]
    mean = sum(s.metrics["test/loss"] * s.samples for s in some) / 300
    assert mean == pytest.approx(whole.metrics["test/loss"], rel=1e-5)
    assert parts[0].samples + parts[1].samples < whole.samples


def test_other_data_with_a_class_that_training_did_not_have_are_refused(trained):
    folder, run = trained
    (folder / "odd.csv").write_text("size,color,kind\n1.0,red,big\n0.5,red,huge\n")
    with pytest.raises(DataError, match="huge"):
        dlx.evaluate(run.folder, data=folder / "odd.csv")


def test_other_data_without_a_column_are_refused(trained):
    folder, run = trained
    (folder / "odd.csv").write_text("color,kind\nred,big\nblue,small\n")
    with pytest.raises(DataError, match="size"):
        dlx.evaluate(run.folder, data=folder / "odd.csv")


def test_f24_data_that_changed_are_named_and_still_encoded_as_then(trained):
    folder, run = trained
    original = (folder / "rows.csv").read_text()
    try:
        (folder / "rows.csv").write_text(rows(300, 1, ("azure", "red", "green", "blue")))
        done = dlx.evaluate(run.folder)
    finally:
        (folder / "rows.csv").write_text(original)
    assert "of color hold categories that train has not, such as azure; known are blue, green, red" in done.notes[1]
    assert "changed" in done.notes[0]
    assert "rows.csv" in done.notes[0]
    assert done.metrics != measured(run.metrics)


def test_there_must_be_such_a_run(trained):
    with pytest.raises(UsageError, match="nosuch"):
        dlx.evaluate("nosuch")
    with pytest.raises(UsageError, match=r"nosuch\.ckpt"):
        dlx.evaluate("nosuch.ckpt")


def test_the_command_prints_json_on_stdout_and_warnings_on_stderr(trained):
    folder, run = trained
    command = [sys.executable, "-m", "dlx", "eval", "last", "--json"]
    original = (folder / "rows.csv").read_text()
    try:
        (folder / "rows.csv").write_text(rows(300, 2))
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    finally:
        (folder / "rows.csv").write_text(original)
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)["metrics"]) == set(measured(run.metrics))
    assert "\nwarning: the data changed" in result.stderr


def test_an_unknown_split_is_a_usage_error(trained):
    command = [sys.executable, "-m", "dlx", "eval", "last", "--split", "dev"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert "dev" in result.stderr
