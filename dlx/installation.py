"""How dlx is installed: as a package named `dlx-recipes`, or from a clone of its repository.

The name `dlx` belongs to another project on the package index; ours is that of the import and of the command only.
"""

from __future__ import annotations

import shlex
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

DISTRIBUTION = "dlx-recipes"


def clone_folder() -> Path | None:
    """Return the folder of the clone that dlx is imported from, editable or not; None where dlx is installed."""
    folder = Path(__file__).parents[1]
    return folder if (folder / "pyproject.toml").is_file() else None


def install_command(extra: str) -> str:
    """Return the command that installs an optional dependency group, as it works for the dlx that is imported."""
    clone = clone_folder()
    if clone is None:
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    if clone == Path.cwd():
        return f"pip install -e '.[{extra}]'"
    return f"pip install -e {shlex.quote(f'{clone}[{extra}]')}"


def requirements() -> list[str]:
    """Return what dlx needs, one requirement a line as a package's metadata has them."""
    clone = clone_folder()
    if clone is None:
        return [line for line in requires(DISTRIBUTION) or [] if "extra ==" not in line]
    return list(_project(clone)["dependencies"])


def extras() -> dict[str, list[str]]:
    """Return the requirements of every optional dependency group by its name."""
    clone = clone_folder()
    if clone is not None:
        return {name: list(lines) for name, lines in _project(clone)["optional-dependencies"].items()}
    found: dict[str, list[str]] = {}
    for line in requires(DISTRIBUTION) or []:
        requirement, _, marker = line.partition("; extra == ")
        if marker:
            found.setdefault(marker.strip("'\" "), []).append(requirement)
    return found


def _project(clone: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project
