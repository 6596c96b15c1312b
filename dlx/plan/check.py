"""Everything that is wrong with a recipe file, found without reading its data and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlx.errors import DlxError, RecipeError, ShapeError
from dlx.recipe.diagnostics import Diagnostic
from dlx.recipe.load import Loaded, load


@dataclass(frozen=True)
class Checked:
    """What came of checking a recipe: its diagnostics, and whether shapes could be checked too."""

    path: Path
    diagnostics: tuple[Diagnostic, ...] = ()
    planned: bool = False


def check(path: Path) -> Checked:
    """Check a recipe's text and schema; where the facts of its data are remembered, its shapes and metrics too."""
    try:
        loaded = load(path)
    except RecipeError as error:
        return Checked(path, tuple(error.diagnostics))
    return _planned(path, loaded)


def _planned(path: Path, loaded: Loaded) -> Checked:
    from dlx.data.cache import key_for, remembered
    from dlx.plan import make

    recipe = loaded.recipe
    try:
        facts = remembered(key_for(recipe, loaded.base))
    except (DlxError, OSError):
        return Checked(path)  # the data are not there: a recipe can be right without them
    if facts is None:
        return Checked(path)
    try:
        make(loaded, facts)
    except RecipeError as error:
        return Checked(path, tuple(error.diagnostics), planned=True)
    except ShapeError as error:
        return Checked(path, (loaded.at(error.loc, error.message),), planned=True)
    return Checked(path, planned=True)
