"""Everything that is wrong with a recipe file, found without reading its data and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlx.diagnostic import Diagnostic
from dlx.errors import DlxError, RecipeError, ShapeError
from dlx.facts import DataFacts
from dlx.recipe.load import Loaded, load
from dlx.recipe.schema.recipe import Recipe


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
    from dlx.plan.plan import each

    try:
        plans, problems = each(loaded, _remembered)
    except ShapeError as error:
        return Checked(path, (loaded.at(error.loc, error.message),), planned=True)
    return Checked(path, tuple(problems), planned=len(plans) == max(1, len(loaded.stages)) or bool(problems))


def _remembered(recipe: Recipe, base: Path) -> DataFacts | None:
    """Return the facts of a recipe's data if they were seen before; without its data a recipe can still be right."""
    from dlx.data.cache import key_for, load_facts

    try:
        return load_facts(key_for(recipe, base))
    except (DlxError, OSError):
        return None
