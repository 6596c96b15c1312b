"""Ejected projects: in a process of their own, without dlx, they end with the weights of the run, bit for bit."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from kit import quiet
from safetensors.torch import load_file
from torch import nn

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.eject.expressions import CallWriter, NotExpressibleError, imported_packages, literal, split_file
from dlx.engine.eject.project import eject
from dlx.engine.runs.run import RunRequest, execute
from dlx.errors import RecipeError, UsageError

HARDWARE = "hardware: {accelerator: cpu, num_threads: 1}\n"
CLASSIFICATION = """
name: digits
seed: 3
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: 24}, batch_norm, relu, {dropout: 0.2}]}
optimizer: {adamw: {lr: 0.005}}
schedule: {cosine: {warmup: 3, min_lr_rate: 0.1}}
regularize: {label_smoothing: 0.1}
train: {epochs: 3, batch_size: 32}
"""
IMAGES = """
name: images
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [{conv: {channels: 4, kernel: 3, padding: same}}, relu, {max_pool: 2}, global_pool]}
optimizer: {sgd: {lr: 0.05, momentum: 0.9}}
schedule: {linear: {}}
train: {epochs: 2, batch_size: 64, limit_train_samples: 300}
"""
REGRESSION = """
name: diabetes
task: regression
data: {source: {sklearn: diabetes}}
model: {mlp: {hidden: [16], dropout: 0.1}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 4, batch_size: 32}
"""
WITHOUT_VAL = """
name: last
task: classification
data: {source: {sklearn: iris}, split: {val: 0, test: 0.2}}
model: linear
optimizer: {gd: {lr: 0.5}}
train: {epochs: 5}
"""
CASES = {
    "classification": CLASSIFICATION,
    "images": IMAGES,
    "regression": REGRESSION,
    "last": WITHOUT_VAL,
}
FAST = "classification"
CONV = "{layers: [{conv: {channels: 4, kernel: 3, padding: same}}]}"
WITHOUT_DLX = "import sys, runpy; sys.modules['dlx'] = None; runpy.run_path('train.py', run_name='__main__')"


def write(folder, text):
    (folder / "r.yaml").write_text(text + HARDWARE)
    return dlx.load(folder / "r.yaml")


@pytest.mark.parametrize("case", [pytest.param(c, marks=[] if c == FAST else [pytest.mark.slow]) for c in CASES])
def test_a_project_ends_with_the_same_weights(case, tmp_path):
    loaded = write(tmp_path, CASES[case])
    run = execute(RunRequest(dlx.plan.make(loaded), loaded, tmp_path / "run", quiet(), is_tracked=False))
    project = eject(loaded, tmp_path / "project")
    assert {path.name for path in project.iterdir()} == {"model.py", "train.py", "requirements.txt", "data.npz"}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {WITHOUT_DLX}"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    state = load_checkpoint(run.checkpoint)["state_dict"]
    theirs = load_file(project / "weights.safetensors")
    ours = {n.removeprefix("networks.network."): v for n, v in state.items() if n.startswith("networks.")}
    assert ours.keys() == theirs.keys()
    assert [name for name, value in ours.items() if not torch.equal(value, theirs[name])] == []


def test_the_source_is_plain_and_does_not_know_dlx(tmp_path):
    project = eject(write(tmp_path, CLASSIFICATION), tmp_path / "project")
    for name in ("model.py", "train.py"):
        text = (project / name).read_text()
        assert "dlx" not in imported_packages(text)
        assert max(map(len, text.splitlines())) <= 120
        ast.parse(text)
    model = (project / "model.py").read_text()
    assert "nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(p=0.2)" in model
    assert "nn.CrossEntropyLoss(label_smoothing=0.1)" in model
    assert "torch.optim.AdamW(groups, lr=0.005" in model
    assert (project / "requirements.txt").read_text().count("==") == 4


def test_samples_are_those_of_the_splits(tmp_path):
    loaded = write(tmp_path, REGRESSION)
    arrays = np.load(eject(loaded, tmp_path / "project") / "data.npz")
    counts = dlx.plan.make(loaded).facts.counts
    assert {split: len(arrays[f"x_{split}"]) for split in counts} == dict(counts)
    assert arrays["y_train"].mean() == pytest.approx(0, abs=1e-5)  # standardized, as the loss sees it


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("{label_smoothing: 0.1}", "{ema: 0.9}", 9, "it acts on every step"),
        ("batch_size: 32", "batch_size: 32, gradient_accumulation: 2", 10, "batches in parts"),
        ("digits}}", "digits}, augment: [random_gaussian_noise]}", 5, "augmentations draw"),
        ("{adamw: {lr: 0.005}}", "{sam: {base_optimizer: sgd, lr: 0.01}}", 7, "several times in a step"),
        ("batch_size: 32", "batch_size: 32, monitor: val/accuracy", 10, "are chosen by"),
        ("{cosine: {warmup: 3, min_lr_rate: 0.1}}", "one_cycle", 8, "no short formula"),
        ("{linear: 24}", "{linear: {features: 24, init: orthogonal}}", 6, "not initialized as torch"),
    ],
)
def test_what_a_project_cannot_have_is_refused_at_its_line(before, after, line, why, tmp_path):
    assert before in CLASSIFICATION
    loaded = write(tmp_path, CLASSIFICATION.replace(before, after))
    with pytest.raises(RecipeError) as error:
        eject(loaded, tmp_path / "project")
    (found,) = error.value.diagnostics
    assert (found.code, found.line) == ("DLX490", line)
    assert why in found.message
    assert not (tmp_path / "project").exists()


def test_a_study_is_many_trainings(tmp_path):
    loaded = write(tmp_path, f"{REGRESSION}compare: {{variants: {{other: {{seed: 1}}}}}}\n")
    with pytest.raises(RecipeError, match="a study is many trainings"):
        eject(loaded, tmp_path / "project")


@pytest.mark.parametrize(
    ("task", "source", "model"),
    [
        ("vae", "{sklearn: digits}", "{mlp: {hidden: [8]}}"),
        ("autoencoder", "{sklearn: digits}", "{mlp: {hidden: [8]}}"),
        ("diffusion", "moons", "{mlp: {hidden: [8]}}"),
        ("gan", "moons", "{mlp: {hidden: [8]}}"),
        ("segmentation", "{shapes: {n_samples: 40, image_size: 16}}", CONV),
        ("metric_learning", "{sklearn: digits}", "{mlp: {hidden: [8]}}"),
    ],
)
def test_other_families_say_so_at_their_task(task, source, model, tmp_path):
    loaded = write(tmp_path, f"name: other\ndata: {{source: {source}}}\ntask: {task}\nmodel: {model}\n")
    with pytest.raises(RecipeError) as error:
        eject(loaded, tmp_path / "project")
    assert [(d.code, d.line) for d in error.value.diagnostics] == [("DLX490", 3)]


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "mine.py").write_text("")
    with pytest.raises(UsageError, match="is not empty"):
        eject(write(tmp_path, REGRESSION), tmp_path / "project")


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (nn.Conv2d(1, 8, (3, 3), padding=(1, 1)), "nn.Conv2d(1, 8, 3, padding=1)"),
        (nn.Conv2d(1, 8, (3, 5), bias=False), "nn.Conv2d(1, 8, (3, 5), bias=False)"),
        (nn.MaxPool2d((2, 2), (2, 2), padding=(0, 0)), "nn.MaxPool2d(2, stride=2)"),
        (nn.LayerNorm(8, eps=1e-6), "nn.LayerNorm(8, eps=1e-06)"),
        (nn.Sequential(nn.ReLU(), nn.Flatten()), "nn.Sequential(nn.ReLU(), nn.Flatten())"),
        (nn.CrossEntropyLoss(torch.tensor([1.0, 2.0])), "nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))"),
    ],
    ids=str,
)
def test_modules_are_calls(module, call):
    assert CallWriter().module(module) == call


def test_what_has_no_spelling_is_refused():
    class Odd(nn.Module):
        def __init__(self, size):
            super().__init__()

    for module in (Odd(3), nn.LSTM(2, 3)):
        with pytest.raises(NotExpressibleError):
            CallWriter().module(module)
    with pytest.raises(NotExpressibleError):
        literal(object())


def test_a_file_is_split_into_imports_and_definitions():
    code = "X = 3\n\n\ndef f():\n    return X"
    imports, body = split_file(f'"""Doc."""\n\nfrom __future__ import annotations\n\nimport math\n\n\n{code}\n')
    assert imports == ["import math"]
    assert body == code
