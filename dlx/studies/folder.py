"""The folder of a study: ordinary runs, one journal, and the study itself as one file that needs no other."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.engine.runs.folder import make_run_folder
from dlx.errors import UsageError
from dlx.files import write_atomic
from dlx.notices import dlx_command
from dlx.recipe.load import LoadedRecipe, load
from dlx.recipe.schema.study import Sweep
from dlx.recipe.yaml.dump import dump
from dlx.run_folders import STUDY, run_folders, single_match
from dlx.studies.journal import Journal

RECIPE = "study.yaml"


@dataclass(frozen=True)
class StudyFolder:
    """A study on disk: its recipe, which is complete without the files that it extends, and its journal."""

    path: Path
    loaded: LoadedRecipe

    @property
    def name(self) -> str:
        """The name of the study: that of its folder."""
        return self.path.name

    @property
    def sweep(self) -> Sweep:
        """What it searches. Raises: UsageError if it only compares."""
        study = self.loaded.study
        if study is None or study.sweep is None:
            again = dlx_command("compare", self.path / RECIPE)
            raise UsageError(f"{self.name} compares and does not search: {again}")
        return study.sweep

    @property
    def journal(self) -> Journal:
        """What has happened so far."""
        return Journal(self.path)

    def trial(self, number: int, seed: int = 0, seeds: int = 1) -> Path:
        """Return the folder of a trial's run; of several seeds, that of one of them."""
        return self.path / trial_folder(number, seed, seeds)

    def variant_folder(self, variant: str, repeat: int) -> Path:
        """Return the folder of one training of a variant."""
        return self.path / f"{variant}-{repeat}"


def trial_folder(number: int, seed: int, seeds: int) -> str:
    """Return the name of the folder of a trial's run; of several seeds, that of one of them."""
    return f"trial-{number:04d}" if seeds == 1 else f"trial-{number:04d}-seed-{seed}"


def create_study(loaded: LoadedRecipe, root: Path) -> StudyFolder:
    """Make the folder of a new study. Raises: UsageError if nothing can be written there."""
    path = make_run_folder(root, loaded.recipe.name, inside="")
    write_atomic(path / RECIPE, complete_recipe(loaded).encode())
    state = {"name": loaded.recipe.name, "base": os.path.relpath(loaded.base.absolute(), path.absolute())}
    write_atomic(path / STUDY, json.dumps(state, indent=2).encode())
    return StudyFolder(path, _read(path))


def open_study(name: str, root: Path) -> StudyFolder:
    """Find a study by the name of its folder, a unique beginning of it, its path, or `last`. Raises: UsageError."""
    if (Path(name) / STUDY).exists():
        return StudyFolder(Path(name), _read(Path(name)))
    known = sorted((f.parent for f in root.glob(f"*/{STUDY}")), key=lambda f: (f / STUDY).stat().st_mtime_ns)
    if name == "last" and known:
        return StudyFolder(known[-1], _read(known[-1]))
    exact = [f for f in known if f.name == name]
    found = single_match(name, exact or [f for f in known if f.name.startswith(name)])
    if found is not None:
        return StudyFolder(found, _read(found))
    if any(f.name.startswith(name) for f in run_folders(root)):
        raise UsageError(f"'{name}' is a run and not a study: {dlx_command('train', '--resume', name)}")
    raise UsageError(f"there is no study '{name}' here; there are {', '.join(f.name for f in known[-5:]) or 'none'}")


def complete_recipe(loaded: LoadedRecipe) -> str:
    """Return the recipe with all that it extends, as YAML: references, also to the environment, stay references."""
    assert loaded.composed is not None and loaded.composed.tree is not None and loaded.composed.study is not None
    one, study = _without_extends(loaded.composed.tree.plain()), loaded.composed.study.plain()
    claims = {**one.get("expect", {}), **study.get("expect", {})}
    whole = {**one, **study, **({"expect": claims} if claims else {})}
    return dump(whole)


def _without_extends(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe, and each of its stages, without the names of what is merged into it already."""
    one = {key: value for key, value in recipe.items() if key != "extends"}
    if isinstance(one.get("stages"), dict):
        one["stages"] = {name: _without_extends(stage) for name, stage in one["stages"].items()}
    return one


def _read(path: Path) -> LoadedRecipe:
    state = json.loads((path / STUDY).read_text())
    return load(path / RECIPE).with_base(path / state["base"])
