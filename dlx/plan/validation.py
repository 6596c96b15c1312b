"""Everything that is wrong with a recipe file, found without reading its data and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlx.diagnostic import Diagnostic
from dlx.errors import DlxError, RecipeError, ShapeError
from dlx.facts import DataFacts
from dlx.recipe.load import LoadedRecipe, load
from dlx.recipe.schema.recipe import Recipe


@dataclass(frozen=True)
class Validation:
    """Validation of a recipe file: its diagnostics, and whether shapes could be checked too."""

    path: Path
    diagnostics: tuple[Diagnostic, ...] = ()
    shapes_checked: bool = False


def validate_file(path: Path) -> Validation:
    """Validate a recipe's text and schema; where the facts of its data are remembered, its shapes and metrics too."""
    try:
        loaded = load(path)
    except RecipeError as error:
        return Validation(path, tuple(error.diagnostics))
    return _plan_shapes(path, loaded) if loaded.study is None else _plan_study(path, loaded)


def _plan_study(path: Path, loaded: LoadedRecipe) -> Validation:
    """Validate everything that a study may run: every path, option and end of a range, and every variant."""
    from dlx.plan.study import check_study

    plan, problems = check_study(loaded, _cached_facts)
    return Validation(path, tuple(problems), shapes_checked=plan.base is not None or bool(problems))


def _plan_shapes(path: Path, loaded: LoadedRecipe) -> Validation:
    from dlx.plan.plan import plan_stages

    try:
        plans, problems = plan_stages(loaded, _cached_facts)
    except ShapeError as error:
        return Validation(path, (loaded.diagnose_at(error.loc, error.message),), shapes_checked=True)
    return Validation(path, tuple(problems), shapes_checked=len(plans) == max(1, len(loaded.stages)) or bool(problems))


def _cached_facts(recipe: Recipe, base: Path) -> DataFacts | None:
    """Return the cached facts of a recipe's data; None where there are none, or the data cannot be read."""
    from dlx.data.cache import key_for, load_facts

    try:
        return load_facts(key_for(recipe, base))
    except (DlxError, OSError):
        return None
