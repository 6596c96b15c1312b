"""Shell completion: the words that may follow; only the file system is read."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import dlx
from dlx.recipe.gallery import gallery
from dlx.run_folders import RUNS


def recipes(incomplete: str) -> list[str]:
    """Recipes and folders that begin like this, and recipes of the gallery by name."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    found = [p for p in folder.glob("*") if p.is_dir() or p.suffix in (".yaml", ".yml")]
    names = sorted(f"{p}/" if p.is_dir() else str(p) for p in found if not p.name.startswith("."))
    here = [name for name in names if name.startswith(incomplete.removeprefix("./"))]
    return [*here, *_gallery(incomplete)] if incomplete else here


def _gallery(incomplete: str) -> list[str]:
    """Recipes of the gallery that begin like this, with their topic once a slash is written."""
    names = [name if "/" in incomplete else name.rpartition("/")[2] for name in gallery()]
    return [name for name in names if name.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Runs of this directory, newest first."""
    folders = sorted((f.parent for f in RUNS.glob("*/run.json")), key=lambda f: f.stat().st_mtime, reverse=True)
    return [name for name in ["last", *(f.name for f in folders)] if name.startswith(incomplete)]


def families(incomplete: str) -> list[str]:
    """Families of components: the packages of dlx that hold some."""
    packages = [m.name for m in pkgutil.iter_modules(dlx.__path__) if m.ispkg]
    return [name for name in packages if name.startswith(incomplete) and _leaves(name)]


def list_arguments(incomplete: str) -> list[str]:
    """Families, and `recipes`: the arguments of `dlx list`."""
    return [*families(incomplete), *(["recipes"] if "recipes".startswith(incomplete) else [])]


def components(incomplete: str) -> list[str]:
    """Components by name, recipes, and runs."""
    names = sorted({leaf for family in families("") for leaf in _leaves(family)})
    return [*(name for name in names if name.startswith(incomplete)), *recipes(incomplete), *runs(incomplete)]


def _leaves(family: str) -> list[str]:
    folder = Path(dlx.__path__[0]) / family
    if "family = " not in (folder / "__init__.py").read_text(encoding="utf-8"):
        return []
    return [m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_")]
