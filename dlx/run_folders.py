"""The directories of runs on disk, and how one is found again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dlx.errors import UsageError
from dlx.files import read_json

RUNS = Path("runs")
"""The folder in which runs are kept, unless another one is named."""
TRACKING_STATE = "tracking.json"
"""File of a run's directory with what is known of its record in MLflow."""
STUDY = "study.json"
"""File that makes a directory that of a study, whose runs lie in it."""
FAST_DEV_RUN = "fast_dev_run"
"""Entry of a run's run.json that says whether it is a trial of a few steps, which `last` does not mean."""
TOKENIZERS = "tokenizers.json"
"""File of a run's directory with the trained tokenizer of every field with text."""


def find_run_folder(run: str, root: Path | None = None) -> Path:
    """Find the directory of a run by its own name, its MLflow id, its recipe's name (the newest), a unique prefix, its
    directory, or `last`, whether it has a checkpoint or not. Raises: UsageError if there is none, or several fit.
    """
    if (Path(run) / "run.json").exists():
        return Path(run)
    folders = run_folders(root or RUNS)
    if run == "last":
        whole = [f for f in folders if _read_entry(f / "run.json", FAST_DEV_RUN) is not True]
        if not whole:
            trials = f", only trials: {', '.join(f.name for f in folders[-5:])}" if folders else ""
            raise UsageError(f"there are no runs here yet{trials}; start one with: dlx train RECIPE")
        return whole[-1]
    parts = [part for f in folders for part in stage_folders(f)]
    fitting = [f for f in (parts if "/" in run else folders) if run_name(f).startswith(run)]
    fitting += [f for f in [*folders, *parts] if f not in fitting and (mlflow_id(f) or "").startswith(run)]
    exact = [f for f in fitting if run in (run_name(f), mlflow_id(f))]
    of_recipe = [f for f in fitting if run_name(f).rpartition("-")[0] == run]
    found = single_match(run, exact or of_recipe[-1:] or fitting)
    if found is not None:
        return found
    raise UsageError(f"there is no run '{run}' here; there are {', '.join(f.name for f in folders[-5:]) or 'none'}")


def single_match(asked: str, fitting: list[Path]) -> Path | None:
    """Return the only directory that fits what was asked for; None if none does. Raises: UsageError if several do."""
    if len(fitting) > 1:
        raise UsageError(f"'{asked}' may mean {', '.join(run_name(f) for f in fitting[-5:])}; write more of it")
    return fitting[0] if fitting else None


def run_folders(root: Path) -> list[Path]:
    """Return the directories of all runs, oldest first. Raises: OSError where they cannot be listed."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        found = [Path(entry.path) for entry in entries if entry.is_dir()]
    runs = (folder for folder in found if (folder / "run.json").exists())
    return sorted(runs, key=lambda folder: (folder / "run.json").stat().st_mtime_ns)


def stage_status(folder: Path) -> dict[str, bool]:
    """Return whether each stage of a run is finished, by the name of its directory; nothing where it has no stages."""
    found = _read_entry(folder / "run.json", "stages")
    is_plain = isinstance(found, dict) and all(Path(name).name == name for name in found)
    return found if is_plain else {}


def stage_folders(folder: Path) -> list[Path]:
    """Return the directories of a run's stages, or of a study's runs, as far as they have begun."""
    if (folder / STUDY).exists():
        return sorted(file.parent for file in folder.glob("*/run.json"))
    return [folder / place for place in stage_status(folder) if (folder / place / "run.json").exists()]


def final_folder(folder: Path) -> Path:
    """Return where a run's end is kept: the directory of its last stage, of a study's best run, or its own.

    Raises: UsageError if it is not there yet.
    """
    if (folder / STUDY).exists():
        return _best_of(folder)
    *earlier, last = stage_status(folder) or [""]
    if earlier and not (folder / last / "run.json").exists():
        raise UsageError(f"{folder} has not come to its last stage; an earlier one is meant by {folder}/{earlier[0]}")
    return folder / last


def _best_of(study: Path) -> Path:
    best = _read_entry(study / "run.json", "checkpoint")
    if not isinstance(best, str) or not Path(best).exists():
        raise UsageError(f"{study} has no best run yet; see: dlx sweep --status {study.name}")
    return study / Path(best).parent.parent.name


def run_name(folder: Path) -> str:
    """Return the name of a run; that of a stage, or of a run of a study, begins with the name of the whole."""
    whole = folder.parent
    belongs = (whole / STUDY).exists() or folder.name in stage_status(whole)
    return f"{whole.name}/{folder.name}" if belongs else folder.name


def mlflow_id(folder: Path) -> str | None:
    """Return the id of a run's record in MLflow: as it was written at the end, or as the tracker gave it."""
    found = _read_entry(folder / "run.json", "mlflow_run") or _read_entry(folder / TRACKING_STATE, "run_id")
    return found if isinstance(found, str) else None


def _read_entry(path: Path, key: str) -> Any:
    try:
        return read_json(path).get(key)
    except (OSError, ValueError, AttributeError):
        return None
