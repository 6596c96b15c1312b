"""lock.json: what it takes to reproduce a run: versions of packages, git state, data and hardware."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlx.engine.build.weights import weights_origin
from dlx.plan import Plan
from dlx.plugins import active_plugins
from dlx.version import __version__

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "pydantic",
    "mlflow",
    "numpy",
    "pandas",
    "scikit-learn",
    "kornia",
)


def environment_lock(plan: Plan) -> dict[str, Any]:
    """Return everything outside the recipe on which the result of a run depends."""
    return {
        "dlx": __version__,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _package_version(name)) is not None},
        "git": _git_state(plan.base),
        "plugins": [p.to_json() for p in active_plugins()],
        "data": plan.facts.fingerprint,
        "init_from": weights_origin(plan.recipe.init_from, plan.base) if plan.recipe.init_from is not None else None,
        "hardware": {"machine": platform.machine(), "system": platform.system(), **plan.recipe.hardware.model_dump()},
    }


@cache
def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the folder's repository and whether it has changes; None outside of one."""

    def run_git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {"commit": run_git("rev-parse", "HEAD"), "changed": bool(run_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
