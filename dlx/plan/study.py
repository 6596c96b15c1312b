"""What a study will run and cost: every value that a sweep may choose, every variant of a comparison, planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.component import types
from dlx.diagnostic import Diagnostic, sort_diagnostics
from dlx.errors import RecipeError, ShapeError
from dlx.facts import DataFacts
from dlx.plan.context import PlanContext
from dlx.plan.plan import Plan, facts_of, plan_stages, with_data
from dlx.recipe.compose.spelling import component_type, family_of
from dlx.recipe.compose.study import with_changes, with_params, with_value
from dlx.recipe.diagnostics.places import diagnose_at
from dlx.recipe.load import LoadedRecipe, load_variant
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.study import BASE, Halving, Sweep
from dlx.recipe.yaml.node import Node
from dlx.search_space import Params, SearchSpace

if TYPE_CHECKING:
    from dlx.data.prepare import Prepared

Known = Callable[[Recipe, Path], DataFacts | None]
"""Returns the facts of a recipe's data, None where they are not known."""


@dataclass(frozen=True)
class StudyPlan:
    """What is known of a study before its first run.

    base      the plan of the recipe itself; None where the facts of its data are not known
    extremes  plans of trials that together have every option and both ends of every range
    variants  plans of what is compared, by name, `base` among them
    """

    loaded: LoadedRecipe
    base: Plan | None
    extremes: tuple[Plan, ...] = ()
    variants: Mapping[str, Plan] = field(default_factory=dict)

    @property
    def prepared(self) -> Prepared | None:
        """The data of the recipe itself, where they had to be read for their facts."""
        return None if self.base is None else self.base.prepared

    @property
    def trials(self) -> int:
        """Trials of the sweep."""
        sweep = self.loaded.study.sweep if self.loaded.study else None
        return 0 if sweep is None else sweep.search.limit(sweep.space)

    @property
    def repeats(self) -> int:
        """Trainings of each variant that is compared."""
        compare = self.loaded.study.compare if self.loaded.study else None
        if compare is None:
            return 0
        return compare.seeds or (self.loaded.recipe.data.split.folds or 0)

    def steps(self) -> tuple[int, int]:
        """Return how many optimizer steps the whole study takes, at least and at most."""
        sweep = self.loaded.study.sweep if self.loaded.study else None
        compared = self.repeats * sum(plan.length.steps for plan in self.variants.values())
        if sweep is None or not self.extremes:
            return compared, compared
        lengths = [_sweep_steps(plan, sweep, self.trials) for plan in self.extremes]
        return compared + min(lengths), compared + max(lengths)

    def span(self, quantity: str) -> tuple[float, float]:
        """Return the smallest and the largest of a quantity of the plan, over everything that the study may run."""
        found = [plan.quantities[quantity] for plan in (*self.extremes, *self.variants.values())]
        return min(found), max(found)


def _sweep_steps(plan: Plan, sweep: Sweep, trials: int) -> int:
    """Return the steps of all trials, were they all as long as this one."""
    if sweep.halving is None:
        return trials * sweep.seeds * plan.length.steps
    total, before, going_on = 0.0, 0, float(trials)
    for rung in (*sweep.halving.rungs, None):
        until = plan.length.steps if rung is None else min(plan.length.steps, int(rung * plan.length.steps_per_epoch))
        total += going_on * max(0, until - before)
        before, going_on = until, going_on * sweep.halving.keep
    return round(total) * sweep.seeds


def study_report(plan: StudyPlan, steps_per_second: float | None = None) -> dict[str, Any]:
    """Return everything that the plan of a study says, ready for JSON; pairs are the smallest and the largest."""
    spec, steps = plan.loaded.study, plan.steps()
    assert spec is not None
    over = {} if spec.sweep is None else {path: json.dumps(value) for path, value in spec.sweep.over.items()}
    hours = None if not steps_per_second else [n / steps_per_second / 3600 for n in steps]
    return {
        "name": plan.loaded.recipe.name,
        "sweep": None if spec.sweep is None else {"trials": plan.trials, "over": over},
        "compare": None if spec.compare is None else {"variants": list(plan.variants), "repeats": plan.repeats},
        "steps": list(steps),
        **{name: list(plan.span(f"plan/{name}")) for name in ("parameters", "macs", "memory")},
        "hours": hours,
    }


def load_trial(loaded: LoadedRecipe, params: Params) -> LoadedRecipe:
    """Return the recipe of a trial. Raises: RecipeError with what is wrong, at the lines of `sweep.over`."""
    return _load_trial(loaded, _domains_node(loaded), params)


def _load_trial(loaded: LoadedRecipe, over: Node, params: Params) -> LoadedRecipe:
    assert loaded.composed is not None
    return load_variant(loaded.composed, lambda tree: with_params(tree, over, params)).with_base(loaded.base)


def load_compared_variant(loaded: LoadedRecipe, name: str) -> LoadedRecipe:
    """Return the recipe of a variant that is compared, `base` for the recipe itself. Raises: RecipeError."""
    assert loaded.composed is not None and loaded.composed.study is not None
    changes = loaded.composed.study.find(("compare", "variants", name))
    varied = load_variant(loaded.composed, lambda tree: tree if changes is None else with_changes(tree, changes))
    return varied.with_base(loaded.base)


def _domains_node(loaded: LoadedRecipe) -> Node:
    assert loaded.composed is not None and loaded.composed.study is not None
    over = loaded.composed.study.find(("sweep", "over"))
    assert over is not None
    return over


def plan_study(loaded: LoadedRecipe) -> StudyPlan:
    """Plan a study; the data are read once. Raises: RecipeError with everything that is wrong, DataError."""
    read: list[Prepared] = []
    plan, problems = check_study(loaded, lambda recipe, base: facts_of(recipe, base, read.append))
    if problems:
        raise RecipeError(problems)
    return plan if plan.base is None else replace(plan, base=with_data(plan.base, read))


def check_study(loaded: LoadedRecipe, known: Known) -> tuple[StudyPlan, list[Diagnostic]]:
    """Plan a study as far as the facts of its data are known, and say everything that is wrong with it."""
    assert loaded.study is not None
    wrong: list[Diagnostic] = []

    def plan_variant(load: Callable[..., LoadedRecipe], *args: Any) -> Plan | None:
        try:
            plans, problems = plan_stages(load(*args), known)
        except (RecipeError, ShapeError) as error:
            wrong.extend(
                error.diagnostics if isinstance(error, RecipeError) else [loaded.diagnose_at(error.loc, error.message)]
            )
            return None
        wrong.extend(problems)
        return list(plans.values())[-1] if plans else None

    base = plan_variant(lambda: loaded)
    wrong += list(_study_problems(loaded, base))
    extremes: list[Plan | None] = []
    variants: dict[str, Plan | None] = {}
    if loaded.study.sweep is not None:
        over = _domains_node(loaded).without_keys(*(d.path for d in wrong))
        points = SearchSpace({p: d for p, d in loaded.study.sweep.space.domains.items() if p in over.keys}).extremes()
        extremes = [plan_variant(_load_trial, loaded, over, point) for point in points]
    if loaded.study.compare is not None:
        variants = {
            name: plan_variant(load_compared_variant, loaded, name) for name in (BASE, *loaded.study.compare.variants)
        }
    compared = {name: plan for name, plan in variants.items() if plan is not None}
    return StudyPlan(loaded, base, tuple(p for p in extremes if p is not None), compared), sort_diagnostics(wrong)


def _study_problems(loaded: LoadedRecipe, base: Plan | None) -> Iterator[Diagnostic]:
    """Say what in a study contradicts the recipe that it is made of."""
    assert loaded.study is not None and loaded.composed is not None and loaded.composed.study is not None
    study, where = loaded.study, loaded.composed.study
    if study.sweep is not None:
        yield from _wrong_types(loaded)
        yield from _overlapping_paths(_domains_node(loaded))
        yield from _unreachable_paths(loaded)
    if study.sweep is not None and study.sweep.halving is not None:
        message = _halving_problem(loaded.recipe, study.sweep.halving)
        yield from [diagnose_at(where, ("sweep", "halving", "rungs"), message, "DLX401")] if message else ()
    if study.compare is not None and study.compare.folds is not None and loaded.recipe.data.split.folds is None:
        hint = "write data: {split: {folds: 5}}"
        yield diagnose_at(where, ("compare", "folds"), "the recipe has no folds to compare on", "DLX401", hint)
    if base is not None:
        yield from _unknown_metrics(loaded, base)


def _halving_problem(recipe: Recipe, halving: Halving) -> str | None:
    train = recipe.train
    if train.epochs is None:
        return "rungs are epochs, but the recipe says how many steps it trains"
    if halving.rungs[-1] >= train.epochs:
        return f"the last rung lies before the end of training, which takes {train.epochs} epochs"
    return None


def _wrong_types(loaded: LoadedRecipe) -> Iterator[Diagnostic]:
    """Refuse a path through a component of another type than the recipe has: it would replace it in silence."""
    assert loaded.composed is not None and loaded.composed.tree is not None
    over = _domains_node(loaded)
    for path, mark in over.keys.items():
        node: Node | None = loaded.composed.tree
        family = ""
        for part in path.split("."):
            has = component_type(node, family) if node is not None and family else ""
            if family and part in types(family) and has and has != part:
                message = f"`{path}` is about {part}, but the recipe has {has} there"
                hint = f"write {path.replace(part, has)}, or use {part}"
                yield Diagnostic.from_mark(mark, "DLX401", message, hint, (path,))
                break
            family = family_of(part)
            node = node.child(part) if node is not None else None


def _overlapping_paths(over: Node) -> Iterator[Diagnostic]:
    for path, mark in over.keys.items():
        inside = next((other for other in over.keys if path.startswith(f"{other}.")), None)
        if inside is not None:
            message = f"`{path}` lies inside of `{inside}`, which is searched as a whole"
            hint = f"give the alternatives of {inside} their own domains"
            yield Diagnostic.from_mark(mark, "DLX401", message, hint, (path,))


def _unreachable_paths(loaded: LoadedRecipe) -> Iterator[Diagnostic]:
    assert loaded.composed is not None and loaded.composed.tree is not None
    for path, mark in _domains_node(loaded).keys.items():
        try:
            with_value(loaded.composed.tree, mark, path, Node(None, mark))
        except RecipeError as error:
            yield from (replace(d, path=path) for d in error.diagnostics)


def _unknown_metrics(loaded: LoadedRecipe, base: Plan) -> Iterator[Diagnostic]:
    assert loaded.study is not None and loaded.composed is not None and loaded.composed.study is not None
    study, where = loaded.study, loaded.composed.study
    known = PlanContext(base.recipe, base.network_facts, base.facts).metric_names
    asked: list[tuple[Any, str]] = []
    if study.sweep is not None:
        asked.append((("sweep", "monitor"), study.sweep.monitor or base.recipe.task.monitor))
    if study.compare is not None and study.compare.metric is not None:
        asked.append((("compare", "metric"), study.compare.metric))
    for loc, metric in asked:
        if metric not in known:
            yield diagnose_at(
                where, loc, f"there will be no metric {metric}", "DLX401", f"there are {', '.join(known[:8])}"
            )
    for claim in study.expect:
        if claim not in study_metrics(loaded):
            message = f"there will be no {claim}"
            yield diagnose_at(
                where, ("expect", claim), message, "DLX401", f"there are {', '.join(study_metrics(loaded))}"
            )


def study_metrics(loaded: LoadedRecipe) -> list[str]:
    """Return the names under which a study can be claimed to have found something."""
    assert loaded.study is not None
    names = ["sweep/best", "sweep/epochs_share"] if loaded.study.sweep is not None else []
    for quantity in loaded.study.sweep.power_law if loaded.study.sweep is not None else ():
        names += [f"sweep/power_law/{quantity}{end}" for end in ("", "/low", "/high")]
    if loaded.study.compare is not None:
        names += [f"compare/{name}" for name in loaded.study.compare.variants]
        names += [f"compare/{name}/mean" for name in (BASE, *loaded.study.compare.variants)]
    return names
