"""What a recipe will build and cost, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.data.cache import key_for, load_facts, save_facts
from dlx.diagnostic import Diagnostic, Loc
from dlx.errors import DataError, RecipeError, ShapeError
from dlx.evolve import Evolvable
from dlx.facts import DataFacts
from dlx.plan.auto import resolve_components, resolve_sections, resolved_values
from dlx.plan.context import PlanContext, find_problems
from dlx.plan.hardware import resolve_by_cost
from dlx.plan.memory import Memory, estimate_memory
from dlx.plan.networks import NetworkPlan, plan_network
from dlx.plan.tokenizers import with_earlier_tokenizers, with_stored_tokenizers
from dlx.recipe.compose.stages import merge_stage_problems
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.data import check_source_memory
from dlx.recipe.schema.recipe import Recipe
from dlx.rules import Problem
from dlx.schedules import TrainingLength
from dlx.tasks import for_role
from dlx.transforms import Transform

if TYPE_CHECKING:
    from dlx.data.prepare import Prepared


@dataclass(frozen=True)
class Plan(Evolvable):
    """Everything that is known before torch is imported.

    resolved       the recipe with every `auto` resolved
    recipe         the same with its task and optimizers changed by its regularizers
    base           folder to which the recipe's paths are relative
    facts          what the data say, as the source has them
    network_facts  the same after transforms: what networks see
    networks       one for each role of the task
    length         how many optimizer steps there are
    auto_values    every `auto` and what it became
    warnings       what a person should know before training
    stages         each stage's plan by its name, if the recipe has stages; the whole is then what its last one is
    prepared       the data, where they had to be read for their facts
    """

    resolved: Recipe
    recipe: Recipe
    base: Path
    facts: DataFacts
    network_facts: DataFacts
    networks: Mapping[str, NetworkPlan]
    length: TrainingLength
    memory: Memory
    auto_values: Mapping[str, str]
    warnings: tuple[Problem, ...]
    stages: Mapping[str, Plan] = field(default_factory=dict)
    prepared: Prepared | None = field(default=None, repr=False, compare=False)

    @property
    def plans_by_prefix(self) -> dict[str, Plan]:
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
            "plan/parameters": sum(n.num_parameters for n in self.networks.values()),
            "plan/trainable_parameters": sum(n.trainable_parameters for n in self.networks.values()),
            "plan/macs": sum(c.macs for c in costs),
            "plan/flops": 2 * sum(c.macs for c in costs),
            "plan/activations": sum(c.activations for c in costs),
            "plan/memory": self.memory.total,
            "plan/steps": self.length.steps,
        }


def make(loaded: LoadedRecipe, facts: DataFacts | None = None) -> Plan:
    """Plan a recipe, for facts that are known from elsewhere or else its own data's.

    Raises: RecipeError with every contradiction at its line; DataError where data cannot be read.
    """
    read: list[Prepared] = []
    plans, problems = plan_stages(loaded, lambda recipe, base: facts or facts_of(recipe, base, read.append))
    if problems:
        raise RecipeError(problems)
    plans = {name: with_data(plan, read) for name, plan in plans.items()}
    *_, last = plans.values()
    return replace(last, stages=plans if loaded.stages else {})


def with_data(plan: Plan, read: Sequence[Prepared]) -> Plan:
    """Return a plan with its data, if they are among those that were read for facts."""
    data = {prepared.facts.fingerprint: prepared for prepared in read}
    return replace(plan, prepared=data.get(plan.facts.fingerprint))


def plan_stages(
    loaded: LoadedRecipe, known: Callable[[Recipe, Path], DataFacts | None]
) -> tuple[dict[str, Plan], list[Diagnostic]]:
    """Plan every stage whose facts are known, and say what is wrong with it; a recipe without stages is one itself."""
    plans: dict[str, Plan] = {}
    wrong: dict[str, list[Diagnostic]] = {}
    for name, stage in (loaded.stages or {"": loaded}).items():
        wrong[name] = [
            stage.diagnose_at(p.loc, p.message, p.code) for p in check_source_memory(stage.recipe.data.source)
        ]
        if wrong[name]:
            continue
        earlier = {n: plan.facts for n, plan in plans.items()}
        stage = replace(stage, recipe=with_earlier_tokenizers(stage.recipe, earlier))
        facts = known(stage.recipe, stage.base)
        if facts is None:
            continue
        try:
            plans[name] = _plan_stage(stage, facts, plans)
        except RecipeError as error:
            wrong[name] = error.diagnostics
    return plans, merge_stage_problems(wrong)


def _plan_stage(loaded: LoadedRecipe, facts: DataFacts, earlier: Mapping[str, Plan]) -> Plan:
    """Plan a recipe or a stage of one, which may begin with the networks of those before it."""
    resolved = resolve_sections(with_stored_tokenizers(loaded.recipe, facts), facts)
    network_facts = transform_facts(facts, resolved.data.transforms)  # type: ignore[arg-type]
    resolved = resolve_components(resolved, network_facts)
    auto_values = dict(resolved_values(loaded.recipe, resolved))
    optimizers = _locate_errors(loaded, ("regularize",), lambda: _regularize_optimizers(resolved))
    task = _locate_errors(
        loaded, ("regularize",), lambda: resolved.task.with_regularizers(resolved.regularize, network_facts)
    )
    recipe = resolved.evolve_all({"task": task, "optimizer": optimizers})
    earlier_networks = {name: plan.networks for name, plan in earlier.items()}
    context = PlanContext(recipe, network_facts, facts, earlier_networks=earlier_networks, base=loaded.base)
    _check(loaded, context)
    networks = _plan_networks(loaded, recipe, network_facts)
    length = _training_length(recipe, facts)
    pairs = [(plan, for_role(recipe.optimizer, role)) for role, plan in networks.items()]
    at_once = context.micro_batch_size
    asked, all_networks = loaded.recipe.hardware, list(networks.values())
    for name, (value, why) in resolve_by_cost(asked, resolved.hardware, all_networks, at_once, length.steps).items():
        auto_values[f"hardware.{name}"] = why
        resolved, recipe = (r.evolve(f"hardware.{name}", value) for r in (resolved, recipe))
    besides = recipe.task.buffer_elements(
        {role: (plan.tree, plan.typical) for role, plan in networks.items()}, network_facts
    )
    averages = sum(regularizer.averages_weights for regularizer in recipe.regularize.values())
    memory = estimate_memory(pairs, at_once, recipe.hardware, besides, averages)
    smallest = memory.total - memory.activations + memory.activations // at_once
    context = replace(context, recipe=recipe, networks=networks, training_memory=(smallest, memory.total))
    warnings = _check(loaded, context)
    return Plan(resolved, recipe, loaded.base, facts, network_facts, networks, length, memory, auto_values, warnings)


def _check(loaded: LoadedRecipe, context: PlanContext) -> tuple[Problem, ...]:
    """Return what the recipe is warned of. Raises: RecipeError with everything that is refused, at its line."""
    problems = find_problems(context)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise RecipeError([loaded.diagnose_at(error.loc, error.message, error.code) for error in errors])
    return tuple({problem.message: problem for problem in problems}.values())


def refuse_training(plan: Plan, loaded: LoadedRecipe) -> None:
    """Raise RecipeError for what a recipe is planned with, but trained only by force, at its line."""
    plans = plan.stages or {"": plan}
    found = [(name, problem) for name, stage in plans.items() for problem in stage.warnings if problem.stops_training]
    if found:
        parts = loaded.stages or {"": loaded}
        raise RecipeError([parts[name].diagnose_at(p.loc, p.message, p.code) for name, p in found])


def facts_of(recipe: Recipe, base: Path, keep: Callable[[Prepared], object] = lambda _: None) -> DataFacts:
    """Return the facts of a recipe's data: cached ones, or after reading the data once, which `keep` is given."""
    key = key_for(recipe, base)
    known = load_facts(key)
    if known is None:
        from dlx.data.prepare import prepare_for

        prepared = prepare_for(recipe, base)
        keep(prepared)
        known = prepared.facts
        save_facts(key, known)
    return known


def transform_facts(facts: DataFacts, transforms: list[Transform]) -> DataFacts:
    """Return what networks see: the facts after every transform, images as floats."""
    fields = dict(facts.fields)
    for transform in transforms:
        name = transform.field or facts.inputs[0]
        fields[name] = transform.spec(fields[name])
    for name in facts.inputs:
        if fields[name].dtype == "uint8":
            fields[name] = fields[name].replace(dtype="float32")
    return replace(facts, fields=fields)


def _regularize_optimizers(recipe: Recipe) -> dict[str, Any]:
    changed: dict[str, Any] = dict(recipe.optimizer)
    for regularizer in recipe.regularize.values():
        changed = {role: regularizer.rewrite_optimizer(o) for role, o in changed.items()}
    return changed


def _plan_networks(loaded: LoadedRecipe, recipe: Recipe, facts: DataFacts) -> dict[str, NetworkPlan]:
    plans = {}
    for role in recipe.task.roles(facts):
        plans[role] = _locate_errors(loaded, (), lambda role=role: plan_network(recipe, role, facts))
    return plans


def _locate_errors(loaded: LoadedRecipe, loc: Loc, make: Any) -> Any:
    """Turn a ShapeError, or a ValueError of a rewriting, into a diagnostic at its line."""
    try:
        return make()
    except ShapeError as error:
        raise RecipeError([loaded.diagnose_at((*loc, *error.loc), error.message)]) from None
    except ValueError as error:
        raise RecipeError([loaded.diagnose_at(loc, str(error))]) from None


def _training_length(recipe: Recipe, facts: DataFacts) -> TrainingLength:
    samples = min(facts.counts["train"], recipe.train.limit_train_samples or facts.counts["train"])
    batch = recipe.global_batch_size(samples)
    per_epoch = max(1, math.ceil(samples / batch) - (samples % batch == 1 and samples > 1))
    if samples < 1:
        raise DataError("there are no samples to train on")
    return TrainingLength(recipe.train.steps or per_epoch * (recipe.train.epochs or 1), per_epoch)


def checkpoint_monitor(plan: Plan) -> tuple[str | None, str]:
    """Return the metric that chooses the best checkpoint, or None, and whether "min" or "max" of it is best."""
    task, facts = plan.recipe.task, plan.network_facts
    monitor = plan.recipe.train.monitor or task.monitor
    if not facts.counts.get("val"):
        return None, task.monitor_mode
    if monitor == task.monitor:
        return monitor, task.monitor_mode
    return monitor, "max" if is_better_higher(plan, monitor) else "min"


def is_better_higher(plan: Plan, metric: str) -> bool:
    """Say whether a larger value of a metric is the better one."""
    return plan.recipe.task.metric_names(plan.network_facts).get(metric.partition("/")[2]) == "higher"
