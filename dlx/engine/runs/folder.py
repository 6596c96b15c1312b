"""The directory of a run: made for it alone, with what is written before the first step."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from dlx.engine.runs.lock import environment_lock
from dlx.errors import UsageError
from dlx.files import write_atomic
from dlx.os_errors import os_reason
from dlx.plan import Plan
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.yaml.dump import dump
from dlx.run_folders import TOKENIZERS


def make_run_folder(root: Path, name: str, inside: str = "checkpoints") -> Path:
    """Make a directory for a run, and one inside of it. Raises: UsageError if nothing can be written there."""
    for _ in range(20):
        folder = root / f"{name}-{secrets.token_hex(3)}"
        try:
            (folder / inside).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{root} cannot be written: {os_reason(error)}") from None
        if not os.access(folder, os.W_OK):
            break
        return folder
    raise UsageError(f"{root} cannot be written")


def job_folder(root: Path, name: str, job: str) -> Path:
    """Return the directory of the run of a job, which follows from the job: every try of it finds the same one."""
    return root / f"{name}-{hashlib.sha256(job.encode()).hexdigest()[:6]}"


def write_description(folder: Path, plan: Plan, loaded: LoadedRecipe, stored: dict[str, Any]) -> None:
    """Write what a run begins with: the recipe as written and as resolved, lock.json, and trained tokenizers."""
    write_recipe(folder, loaded, stored)
    write_atomic(folder / "lock.json", json.dumps(environment_lock(plan), indent=2).encode())
    if plan.facts.tokenizers:
        write_atomic(folder / TOKENIZERS, json.dumps(dict(plan.facts.tokenizers)).encode())


def write_recipe(folder: Path, loaded: LoadedRecipe, stored: dict[str, Any]) -> None:
    """Write a recipe as written and as resolved; that of a stage, or of a resumed run, only as resolved."""
    text = loaded.source_text()
    if text and not (folder / "recipe.yaml").exists():
        write_atomic(folder / "recipe.yaml", text.encode())
    write_atomic(folder / "resolved.yaml", dump(stored).encode())
