"""A run's directory: its own, whatever else starts at the same moment, and what is written before the first step."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import yaml

from dlx.data.files import write_whole
from dlx.engine.lock import lock
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.recipe.load import Loaded


def new_folder(root: Path, name: str) -> Path:
    """Make a directory for a run. Raises: UsageError if nothing can be written there."""
    for _ in range(20):
        folder = root / f"{name}-{secrets.token_hex(3)}"
        try:
            (folder / "checkpoints").mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{root} cannot be written: {error.strerror}") from None
        if not os.access(folder, os.W_OK):
            break
        return folder
    raise UsageError(f"{root} cannot be written")


def describe(folder: Path, plan: Plan, loaded: Loaded, stored: dict[str, Any]) -> None:
    """Write down what is about to run: the recipe as written and as resolved, and the lock."""
    resolved = yaml.safe_dump(stored, sort_keys=False, allow_unicode=True)
    write_whole(folder / "recipe.yaml", loaded.redacted_text().encode())
    write_whole(folder / "resolved.yaml", resolved.encode())
    write_whole(folder / "lock.json", json.dumps(lock(plan), indent=2).encode())
