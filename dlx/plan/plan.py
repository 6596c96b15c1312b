"""What a recipe will build and cost, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlx.component import Section
from dlx.data.cache import key_for, load_facts, save_facts
from dlx.diagnostic import Diagnostic, Loc
from dlx.errors import DataError, RecipeError, ShapeError
from dlx.evolve import Evolvable
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape
from dlx.plan.context import PlanContext, find_problems
from dlx.plan.hardware import by_cost, resolve
from dlx.plan.memory import Memory, estimate
from dlx.plan.networks import NetworkPlan, network_plan, sized
from dlx.plan.tokenizers import given, kept
from dlx.recipe.compose.stages import told
from dlx.recipe.load import Loaded
from dlx.recipe.schema.recipe import Recipe
from dlx.rules import Problem
from dlx.schedules import TrainingLength
from dlx.tasks import Task, for_role
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.trees import iter_layers

WORKERS = 2
"""Processes that decode samples where the recipe leaves their number open: one that works while the other is asked."""


@dataclass(frozen=True)
class Plan(Evolvable):
    """Everything that is known before torch is imported.

    written    the recipe with every `auto` decided
    recipe     the same with every regularizer's rewriting done
    base       folder to which the recipe's paths are relative
    facts      what the data say, as the source has them
    seen       the same after transforms: what networks see
    networks   one for each role of the task
    length    how many optimizer steps there are
    decided    every `auto` and what it became
    warnings   what a person should know before training
    stages     each stage's plan by its name, if the recipe has stages; the whole is then what its last one is
    """

    written: Recipe
    recipe: Recipe
    base: Path
    facts: DataFacts
    seen: DataFacts
    networks: Mapping[str, NetworkPlan]
    length: TrainingLength
    memory: Memory
    decided: Mapping[str, str]
    warnings: tuple[Problem, ...]
    stages: Mapping[str, Plan] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Plan]:
        """The plans of all stages by what the names of their metrics begin with: nothing for the last one, or the only
        one there is.
        """
        *earlier, last = self.stages.items() if self.stages else [("", self)]
        return {f"{name}/": plan for name, plan in earlier} | {"": last[1]}

    @property
    def quantities(self) -> dict[str, float]:
        """Numbers about which a recipe can make claims, under `plan/`."""
        costs = [n.cost for n in self.networks.values()]
        return {
            "plan/parameters": sum(c.parameters for c in costs),
            "plan/macs": sum(c.macs for c in costs),
            "plan/flops": 2 * sum(c.macs for c in costs),
            "plan/activations": sum(c.activations for c in costs),
            "plan/memory": self.memory.total,
            "plan/steps": self.length.steps,
        }


def make(loaded: Loaded, facts: DataFacts | None = None) -> Plan:
    """Plan a recipe, for facts that are known from elsewhere or else its own data's.

    Raises: RecipeError with every contradiction at its line; DataError where data cannot be read.
    """
    plans, problems = each(loaded, lambda recipe, base: facts or facts_of(recipe, base))
    if problems:
        raise RecipeError(problems)
    *_, last = plans.values()
    return replace(last, stages=plans if loaded.stages else {})


def each(loaded: Loaded, known: Callable[[Recipe, Path], DataFacts | None]) -> tuple[dict[str, Plan], list[Diagnostic]]:
    """Plan every stage whose facts are known, and say what is wrong with it; a recipe without stages is one itself."""
    plans: dict[str, Plan] = {}
    wrong: dict[str, list[Diagnostic]] = {}
    for name, stage in (loaded.stages or {"": loaded}).items():
        wrong[name] = []
        stage = replace(stage, recipe=given(stage.recipe, {n: plan.facts for n, plan in plans.items()}))
        facts = known(stage.recipe, stage.base)
        if facts is None:
            continue
        try:
            plans[name] = _make(stage, facts, plans)
        except RecipeError as error:
            wrong[name] = error.diagnostics
    return plans, told(wrong)


def _make(loaded: Loaded, facts: DataFacts, earlier: Mapping[str, Plan]) -> Plan:
    """Plan a recipe or a stage of one, which may begin with the networks of those before it."""
    written = _decide(kept(loaded.recipe, facts), facts)
    seen = transformed(facts, written.data.transforms)  # type: ignore[arg-type]
    written = _settled(written, seen)
    decided = dict(_decided(loaded.recipe, written))
    optimizers = _blamed(loaded, ("regularize",), lambda: _optimizers(written))
    task = _blamed(loaded, ("regularize",), lambda: written.task.with_regularizers(written.regularize, seen))
    recipe = written.evolve_all({"task": task, "optimizer": optimizers})
    context = PlanContext(recipe, seen, facts, earlier_networks={name: plan.networks for name, plan in earlier.items()})
    _warnings(loaded, context)
    networks = _networks(loaded, recipe, seen)
    context = replace(context, networks=networks)
    _warnings(loaded, context)
    length = _training_length(recipe, facts)
    pairs = [(plan, for_role(recipe.optimizer, role)) for role, plan in networks.items()]
    at_once = context.micro_batch_size
    asked, all_networks = loaded.recipe.hardware, list(networks.values())
    for name, (value, why) in by_cost(asked, written.hardware, all_networks, at_once, length.steps).items():
        decided[f"hardware.{name}"] = why
        written, recipe = (r.evolve(f"hardware.{name}", value) for r in (written, recipe))
    besides = recipe.task.buffer_elements({role: (plan.tree, plan.typical) for role, plan in networks.items()}, seen)
    averages = sum(regularizer.averages_weights for regularizer in recipe.regularize.values())
    memory = estimate(pairs, at_once, recipe.hardware, besides, averages)
    warnings = _warnings(loaded, replace(context, recipe=recipe))
    return Plan(written, recipe, loaded.base, facts, seen, networks, length, memory, decided, warnings)


def _warnings(loaded: Loaded, context: PlanContext) -> tuple[Problem, ...]:
    """Return what the recipe is warned of. Raises: RecipeError with everything that is refused, at its line."""
    problems = find_problems(context)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise RecipeError([loaded.at(error.loc, error.message, error.code) for error in errors])
    return tuple({problem.message: problem for problem in problems}.values())


def facts_of(recipe: Recipe, base: Path) -> DataFacts:
    """Return the facts of a recipe's data: remembered ones, or after reading the data once."""
    key = key_for(recipe, base)
    known = load_facts(key)
    if known is None:
        from dlx.data.prepare import prepare_for

        known = prepare_for(recipe, base).facts
        save_facts(key, known)
    return known


def transformed(facts: DataFacts, transforms: list[Transform]) -> DataFacts:
    """Return what networks see: the facts after every transform, images as floats."""
    fields = dict(facts.fields)
    for transform in transforms:
        name = transform.field or facts.inputs[0]
        fields[name] = transform.spec(fields[name])
    for name in facts.inputs:
        if fields[name].dtype == "uint8":
            fields[name] = fields[name].replace(dtype="float32")
    return replace(facts, fields=fields)


def _decide(recipe: Recipe, facts: DataFacts) -> Recipe:
    """Return the recipe with every `auto` of its sections decided."""
    data = recipe.data
    if data.split.by == "auto":
        one_each = facts.kind == "classes" and not facts.fields["target"].axes
        by = "order" if facts.ordered else "stratified" if one_each else "random"
        data = data.evolve("split.by", by)
    if data.transforms == "auto":
        image = any(facts.fields[name].axes in ("CHW", "CDHW") for name in facts.inputs)
        data = data.evolve("transforms", ["normalize"] if image else [])
    if data.num_workers == "auto":
        data = data.evolve("num_workers", WORKERS)
    return recipe.evolve_all({"hardware": resolve(recipe.hardware), "data": data})


def _settled(recipe: Recipe, facts: DataFacts) -> Recipe:
    """Return the recipe with every `auto` of its components decided, but for those that become layers."""
    regularize = {name: regularizer.resolve_auto() for name, regularizer in recipe.regularize.items()}
    return recipe.evolve_all({"task": recipe.task.resolve_auto(facts), "regularize": regularize})


def _decided(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Return where one recipe says `auto` and the other does not, and what it says, in words."""
    if isinstance(before, Section) and type(before) is type(after):
        before, after = dict(before), dict(after)
    if isinstance(before, Mapping):
        for name in before:
            yield from _decided(before[name], after[name], (*path, name))
    elif before == "auto" != after:
        values = after if isinstance(after, list) else [after]
        yield ".".join(path), ", ".join(_word(value) for value in values) or "none"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "type", value))


def _optimizers(recipe: Recipe) -> dict[str, Any]:
    changed: dict[str, Any] = dict(recipe.optimizer)
    for regularizer in recipe.regularize.values():
        changed = {role: regularizer.rewrite_optimizer(o) for role, o in changed.items()}
    return changed


def _networks(loaded: Loaded, recipe: Recipe, facts: DataFacts) -> dict[str, NetworkPlan]:
    return {
        role: _blamed(loaded, (), lambda role=role: _network(recipe, role, facts)) for role in recipe.task.roles(facts)
    }


def _network(recipe: Recipe, role: str, facts: DataFacts) -> NetworkPlan:
    task: Task = recipe.task
    wanted = task.roles(facts)[role]
    model = for_role(recipe.model, role)
    body = model.tree(wanted.input)
    longest = {name: lengths.max for name, lengths in facts.lengths.items()}
    for x in (wanted.input, sized(wanted.input, longest)):
        infer_shape(("model", role), body, x)
    answering = [part.type for part in iter_layers(body) if isinstance(part, Layer) and part.has_auxiliary_output]
    if answering and not task.trains_auxiliary_outputs:
        raise ShapeError(f"{task.type} has no target by which it could judge an {answering[0]}", ("model", role))
    try:
        tree: Any = task.network(role, model, facts)
        for name, regularizer in recipe.regularize.items():
            tree = _rewritten(tree, regularizer, name)
        plan = network_plan(role, tree, wanted.input, facts.lengths)
    except ShapeError as error:
        raise error if error.loc[:1] == ("regularize",) else error.within("task", "head") from None
    if wanted.output is not None and not _fits(plan.output, wanted.output):
        raise ShapeError(
            f"{task.type} needs an output of {wanted.output}, but the model ends in {plan.output}", ("model", role)
        )
    return plan


def _rewritten(tree: Layer, regularizer: Any, name: str) -> Layer:
    try:
        return regularizer.rewrite_layers(tree)  # type: ignore[no-any-return]
    except ValueError as error:
        raise ShapeError(str(error), ("regularize", name)) from None


def _fits(output: Any, wanted: TensorSpec) -> bool:
    return isinstance(output, TensorSpec) and output.axes == wanted.axes and output.dims == wanted.dims


def _blamed(loaded: Loaded, loc: Loc, make: Any) -> Any:
    """Turn a ShapeError, or a ValueError of a rewriting, into a diagnostic at its line."""
    try:
        return make()
    except ShapeError as error:
        raise RecipeError([loaded.at((*loc, *error.loc), error.message)]) from None
    except ValueError as error:
        raise RecipeError([loaded.at(loc, str(error))]) from None


def _training_length(recipe: Recipe, facts: DataFacts) -> TrainingLength:
    samples = min(facts.counts["train"], recipe.train.limit_train_samples or facts.counts["train"])
    batch = recipe.global_batch_size(samples)
    per_epoch = max(1, math.ceil(samples / batch) - (samples % batch == 1 and samples > 1))
    if samples < 1:
        raise DataError("there are no samples to train on")
    return TrainingLength(recipe.train.steps or per_epoch * (recipe.train.epochs or 1), per_epoch)
