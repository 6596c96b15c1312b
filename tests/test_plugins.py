"""Components from a folder outside the package: trained with, recorded, and asked for when they are not there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LEAF = '''
from typing import Literal

from dlx.layers import Layer


class Double(Layer):
    """Doubles its input.

    Example:
        double
    """

    type: Literal["double"] = "double"

    def shape(self, x):
        return x

    def build(self, x):
        import torch

        class Twice(torch.nn.Module):
            def forward(self, x):
                return 2 * x

        return Twice()
'''

RECIPE = """
task: classification
data: {source: {sklearn: iris}}
model: {layers: [columns, double]}
train: {epochs: 1}
"""


def dlx(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlx", *words], cwd=folder, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugged")
    leaf = folder / "mine" / "layers" / "double.py"
    leaf.parent.mkdir(parents=True)
    leaf.write_text(LEAF)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    result = dlx(folder, "--plugin", "mine", "train", "recipe.yaml", "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_without_the_plugin_the_layer_is_unknown(folder):
    result = dlx(folder, "validate", "recipe.yaml")
    assert result.returncode == 2
    assert "unknown layer 'double'" in result.stderr


def test_a_run_records_its_plugin(folder, run):
    (plugin,) = json.loads((folder / run["folder"] / "lock.json").read_text())["plugins"]
    assert plugin["path"] == str((folder / "mine").resolve())
    assert plugin["components"] == ["layers/double"]


def test_evaluating_without_the_plugin_names_it(folder, run):
    result = dlx(folder, "eval", run["folder"])
    assert result.returncode == 1
    assert f"--plugin {(folder / 'mine').resolve()}" in result.stderr


def test_evaluating_with_the_plugin_gives_the_same_numbers(folder, run):
    result = dlx(folder, "--plugin", "mine", "eval", run["folder"], "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["metrics"]["test/accuracy"] == run["metrics"]["test/accuracy"]


def test_a_folder_without_families_is_refused(folder):
    (folder / "empty").mkdir(exist_ok=True)
    result = dlx(folder, "--plugin", "empty", "validate", "recipe.yaml")
    assert result.returncode == 2
    assert "holds no folder of a family" in result.stderr
