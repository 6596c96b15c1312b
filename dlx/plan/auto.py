"""Auto: every value that a recipe leaves open, resolved from its data and this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlx.baselines import Baseline, BaselineProblem
from dlx.component import Section, types
from dlx.facts import DataFacts
from dlx.plan.hardware import resolve_hardware
from dlx.recipe.schema.recipe import Recipe

WORKERS = 2
"""Processes that decode samples where the recipe leaves their number open: one that works while the other is asked."""


def resolve_sections(recipe: Recipe, facts: DataFacts) -> Recipe:
    """Return the recipe with every `auto` of its sections resolved."""
    data = recipe.data
    if data.split.by == "auto":
        by = "order" if facts.ordered else "stratified" if facts.has_one_class_each else "random"
        data = data.evolve("split.by", by)
    if data.transforms == "auto":
        image = any(facts.fields[name].axes in ("CHW", "CDHW") for name in facts.inputs)
        data = data.evolve("transforms", ["normalize"] if image else [])
    if data.num_workers == "auto":
        data = data.evolve("num_workers", WORKERS)
    return recipe.evolve_all({"hardware": resolve_hardware(recipe.hardware), "data": data})


def resolve_components(recipe: Recipe, facts: DataFacts) -> Recipe:
    """Return the recipe with every `auto` of its components resolved, but for those that become layers."""
    regularize = {name: regularizer.resolve_auto() for name, regularizer in recipe.regularize.items()}
    resolved: dict[str, Any] = {"task": recipe.task.resolve_auto(facts), "regularize": regularize}
    if recipe.baselines == "auto":
        resolved["baselines"] = _fitting_baselines(resolved["task"].baseline_problem(facts))
    return recipe.evolve_all(resolved)


def _fitting_baselines(problem: BaselineProblem | None) -> dict[str, Baseline]:
    """Return every baseline that fits a problem, but for those that take long, with its default settings."""
    if problem is None:
        return {}
    leaves = {name: Baseline.model_validate(name) for name in types("baselines")}
    return {name: leaf for name, leaf in leaves.items() if leaf.in_auto and leaf.fits(problem)}


def resolved_values(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Return where one recipe says `auto` and the other does not, and what it says, in words."""
    if isinstance(before, Section) and type(before) is type(after):
        before, after = dict(before), dict(after)
    if isinstance(before, Mapping):
        for name in before:
            yield from resolved_values(before[name], after[name], (*path, name))
    elif before == "auto" != after:
        values = list(after) if isinstance(after, list | Mapping) else [after]
        yield ".".join(path), ", ".join(_to_yaml_word(value) for value in values) or "none"


def _to_yaml_word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "type", value))
