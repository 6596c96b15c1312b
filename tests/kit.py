"""What many tests need: a component's example, what it refuses, and the samples of a source."""

import inspect
import io
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from dlx.component import Section, leaf_class
from dlx.diagnostic import Diagnostic
from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.plan.context import PlanContext
from dlx.plan.hardware import resolve_hardware
from dlx.recipe.compose.compose import compose
from dlx.recipe.schema.recipe import Recipe
from dlx.rules import Problem
from dlx.sources import Samples, Source
from dlx.tasks import Task

MINIMAL = """\
task: classification
data: {source: {sklearn: iris}}
model: {type: layers, layers: [{linear: 8}]}
"""
RECIPE = {"data": {"source": "moons", "transforms": []}, "model": {"mlp": {"hidden": [4]}}, "task": "classification"}


def example(family: str, name: str) -> Any:
    """Return the `Example:` of a component's docstring."""
    return yaml.safe_load(textwrap.dedent((inspect.getdoc(leaf_class(family, name)) or "").partition("Example:\n")[2]))


def load_source(spec: Any, base: Path | str = ".", on_error: str = "raise") -> Samples:
    """Read the samples of a source, in any spelling."""
    return Source.model_validate(spec).load(Path(base), on_error)


def context(facts: DataFacts, **sections: Any) -> PlanContext:
    """Return the context of a small recipe with other sections, for data with these facts."""
    recipe = Recipe.model_validate(RECIPE | sections)
    return PlanContext(
        recipe.evolve("hardware", resolve_hardware(recipe.hardware)), _with_counts(facts), _with_counts(facts)
    )


def refusals(holder: Section, facts: DataFacts, **sections: Any) -> list[Problem]:
    """Return what a section or component refuses in a small recipe; a task is the recipe's own."""
    own = {"task": holder} if isinstance(holder, Task) else {}
    return [problem for problem in holder.check(context(facts, **own, **sections)) if problem.severity == "error"]


def _with_counts(facts: DataFacts) -> DataFacts:
    return facts if facts.counts else replace(facts, counts={"train": 64, "val": 16, "test": 16})


def quiet() -> Console:
    """Return a console that shows nothing."""
    return Console(file=io.StringIO())


def composed(path: Path, *overrides: str) -> dict[str, Any]:
    """Return a recipe as plain values, before the schema has read it."""
    return compose(path, overrides).plain()


def compose_errors(path: Path, *overrides: str) -> list[Diagnostic]:
    """Return what is wrong with the text of a recipe."""
    with pytest.raises(RecipeError) as error:
        compose(path, overrides)
    return error.value.diagnostics
