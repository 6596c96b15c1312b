"""The directories of runs on disk, and how one is found again."""

from __future__ import annotations

import json
from pathlib import Path

from dlx.errors import UsageError

STATE = "tracking.json"
"""File of a run's directory with what is known of its record in MLflow."""
TOKENIZERS = "tokenizers.json"
"""File of a run's directory with the trained tokenizer of every field with text."""


def folder_of(run: str, root: Path | None = None) -> Path:
    """Find the directory of a run by MLflow id or unique prefix, by name, directory, or `last`, whether it has a
    checkpoint or not. Raises: UsageError if there is none, or several fit.
    """
    if (Path(run) / "run.json").exists():
        return Path(run)
    folders = run_folders(root or Path("runs"))
    if run == "last":
        if not folders:
            raise UsageError("there are no runs here yet; start one with: dlx train RECIPE")
        return folders[-1]
    fitting = [f for f in folders if f.name.startswith(run) or (mlflow_id(f) or "").startswith(run)]
    exact = [f for f in fitting if f.name == run or mlflow_id(f) == run]
    named = exact or fitting
    if len(named) == 1 or (named and all(f.name.rpartition("-")[0] == run for f in named)):
        return named[-1]
    if named:
        raise UsageError(f"'{run}' may mean {', '.join(f.name for f in named[-5:])}; write more of it")
    raise UsageError(f"there is no run '{run}' here; there are {', '.join(f.name for f in folders[-5:]) or 'none'}")


def run_folders(root: Path) -> list[Path]:
    """Return the directories of all runs, oldest first."""
    return sorted((f.parent for f in root.glob("*/run.json")), key=lambda f: (f / "run.json").stat().st_mtime_ns)


def mlflow_id(folder: Path) -> str | None:
    """Return the id of a run's record in MLflow: as it was written at the end, or as the tracker gave it."""
    return _entry(folder / "run.json", "mlflow_run") or _entry(folder / STATE, "run_id")


def _entry(path: Path, key: str) -> str | None:
    try:
        value = json.loads(path.read_text()).get(key)
    except (OSError, ValueError, AttributeError):
        return None
    return value if isinstance(value, str) else None
