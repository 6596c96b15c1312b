"""A wheel holds all that dlx needs, and messages name the command that installs what is missing."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dlx import installation
from dlx.recipe.gallery import gallery
from dlx.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build a wheel and unpack it, as pip would into site-packages."""
    pytest.importorskip("hatchling", reason="the build backend is not installed; `make setup` installs it")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    assert path.name.startswith(f"dlx_recipes-{__version__}-")
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def installed(wheel, tmp_path):
    """Return a function that runs the wheel's `dlx` in another folder."""

    def run(*words):
        env = {**os.environ, "PYTHONPATH": str(wheel), "DLX_CACHE": str(tmp_path / "cache"), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "dlx", *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

    return run


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    assert {p.name for p in wheel.iterdir()} == {"dlx", f"dlx_recipes-{__version__}.dist-info"}
    written = {p.relative_to(ROOT) for p in (ROOT / "dlx").rglob("*") if p.suffix in (".py", ".yaml", ".typed")}
    assert {p for p in written if not (wheel / p).exists()} == set()
    assert (wheel / "dlx" / "py.typed").exists()


def test_the_metadata_name_the_version_and_no_extra_without_use(wheel):
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    found = PathDistribution(metadata.parent)
    assert found.version == __version__
    assert set(found.metadata.get_all("Provides-Extra")) == {"vision", "text", "audio", "export", "sweep", "ray", "dev"}


def test_every_recipe_of_the_gallery_validates_from_the_wheel_by_name(installed):
    names = [found["name"] for found in json.loads(installed("list", "recipes", "--json").stdout)]
    assert names == list(gallery())
    result = installed("validate", *names)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(": ok") == len(names)


def test_a_recipe_of_the_wheel_is_planned_shown_copied_and_trained(installed, wheel, tmp_path):
    assert installed("plan", "mlp-xor").returncode == 0
    shown = installed("show", "recipe", "mlp-xor").stdout
    assert shown == (wheel / "dlx" / "recipes" / "first-wave" / "mlp-xor.yaml").read_text()
    assert installed("init", "--recipe", "mlp-xor").returncode == 0
    assert installed("validate", "recipe.yaml").returncode == 0  # it extends another one of the gallery
    trained = installed("train", "mlp-xor", "train.epochs=1", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["name"] == "mlp-xor" and len([*(tmp_path / "runs").iterdir()]) == 1


def test_the_distribution_is_not_the_other_project_of_the_name():
    assert PROJECT["name"] == installation.DISTRIBUTION != "dlx"
    assert PROJECT["scripts"] == {"dlx": "dlx.cli:main"} and "urls" not in PROJECT


def test_a_clone_installs_extras_from_its_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert installation.install_command("vision") == "pip install -e '.[vision]'"
    monkeypatch.chdir(tmp_path)
    assert installation.install_command("vision") == f"pip install -e '{ROOT}[vision]'"
    assert installation.requirements() == PROJECT["dependencies"]
    assert installation.extras() == PROJECT["optional-dependencies"]


def test_an_installed_dlx_installs_extras_by_its_name(wheel, monkeypatch):
    monkeypatch.setattr(installation, "__file__", str(wheel / "dlx" / "installation.py"))
    monkeypatch.syspath_prepend(wheel)
    assert distribution(installation.DISTRIBUTION).version == __version__
    assert installation.install_command("vision") == "pip install 'dlx-recipes[vision]'"
    assert set(map(Requirement, installation.requirements())) == set(map(Requirement, PROJECT["dependencies"]))
    assert set(installation.extras()) == set(PROJECT["optional-dependencies"])
    assert "kornia>=0.8" in installation.extras()["vision"]


def test_no_page_or_message_names_the_other_project():
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "dlx").rglob("*.py"), ROOT / "pyproject.toml"]
    assert [p for p in texts if "dlx[" in p.read_text()] == []
