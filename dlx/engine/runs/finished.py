"""Whether a run is finished, which is known without its checkpoint."""

from __future__ import annotations

from pathlib import Path

from dlx.errors import UsageError
from dlx.files import read_json
from dlx.notices import dlx_command


def is_finished(folder: Path) -> bool:
    """Return whether a run has come to its end."""
    try:
        return bool(read_json(folder / "run.json").get("status") == "FINISHED")
    except (OSError, ValueError, AttributeError):
        return False


def refuse_finished(folder: Path) -> None:
    """Raise UsageError if a run is finished, with what trains it on."""
    if is_finished(folder):
        again = dlx_command("train", "--resume", folder.name, "train.epochs=N", "--allow-change")
        raise UsageError(f"{folder.name} is finished. To train it on: {again}")
