"""`dlx generate` of a run that makes samples: how many, of which class, in how many steps, into which file."""

import json
from pathlib import Path

import numpy as np
import pytest
from kit import train_in
from PIL import Image
from typer.testing import CliRunner

from dlx.cli import app

RECIPE = """
name: maker
task: {diffusion: {timesteps: 40, sampling_steps: 40, sampler: ddim, conditional: true}}
data: {source: {sklearn: digits}}
model: {denoiser_mlp: {hidden: 16}}
train: {steps: 3, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(train_in(tmp_path_factory.mktemp("maker"), RECIPE).folder)


@pytest.fixture
def generate(run, tmp_path, monkeypatch):
    """Return a function that generates with options; it returns what was written as .npz, or what was said."""
    monkeypatch.chdir(tmp_path)

    def generate(*options, into="made.npz"):
        found = CliRunner().invoke(app, ["generate", run, "-o", into, *options])
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            return f"{type(found.exception).__name__}: {found.exception}"
        return np.load(into)["image"] if into.endswith(".npz") else found.stderr

    return generate


def test_the_same_seed_makes_the_same_samples_and_0_is_the_usual_one(generate):
    first, again, other = generate("-n", "5", "--seed", "0"), generate("-n", "5"), generate("-n", "5", "--seed", "1")
    assert first.shape == (5, 1, 8, 8) and np.array_equal(first, again) and not np.array_equal(first, other)
    assert len(generate()) == 64


def test_class_and_steps_are_those_that_are_asked_for(generate):
    in_turn = generate("-n", "4")
    assert np.allclose(in_turn[2], generate("-n", "4", "--class", "2")[2], atol=1e-4)
    assert not np.allclose(in_turn[2], generate("-n", "4", "--class", "3")[2], atol=1e-4)
    assert not np.allclose(in_turn, generate("-n", "4", "--steps", "5"), atol=1e-4)


def test_a_sheet_is_drawn(generate, tmp_path):
    assert "9 samples written to sheet.png" in generate("-n", "9", into="sheet.png")
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--class", "eleven"], "the classes are 0, 1"),
        (["--prompt", "a", "--top-k", "3"], "--top-k is for text, and this run generates samples"),
    ],
)
def test_what_the_run_does_not_do_is_refused(generate, options, said):
    assert said in generate(*options)


def test_a_file_that_cannot_be_is_refused_before_anything_is_made(generate, monkeypatch):
    monkeypatch.setattr("dlx.engine.inference.sample.draw_samples", None)
    assert "samples are written as .png" in generate(into="made.txt")


def test_how_long_samples_take_is_part_of_the_run(run):
    assert 0 < json.loads((Path(run) / "run.json").read_text())["sampling_seconds"] < 60
