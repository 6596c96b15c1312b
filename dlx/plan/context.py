"""The context in which a recipe's sections, components and layers are checked, and the loop that asks them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from dlx.component import Component, Section
from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.exporters import figure_names
from dlx.facts import DataFacts
from dlx.layers import Layer, walk
from dlx.plan.memory import number_sizes, peak_activations
from dlx.plan.networks import NetworkPlan
from dlx.recipe.addresses import sections_in
from dlx.recipe.schema.recipe import Recipe
from dlx.rules import Problem
from dlx.tasks import for_role
from dlx.tensors import Spec
from dlx.trees import iter_layers

QUANTITIES = ("parameters", "trainable_parameters", "macs", "flops", "activations", "memory", "steps")


@dataclass(frozen=True)
class PlanContext:
    """A recipe with what is known of its data and networks; `dlx.rules.CheckContext` says what each is."""

    recipe: Recipe
    facts: DataFacts
    source_facts: DataFacts
    networks: Mapping[str, NetworkPlan] = field(default_factory=dict)
    earlier_networks: Mapping[str, Mapping[str, NetworkPlan]] = field(default_factory=dict)
    training_memory: tuple[int, int] | None = None
    base: Path = Path()
    path: str = ""
    input: Spec | None = None

    @cached_property
    def metric_names(self) -> list[str]:
        """The loss of training, and on every split with samples the metrics of the task, regularizers and layers."""
        splits = [split for split in ("val", "test") if self.facts.counts.get(split)]
        of_regularizers = [name for r in self.recipe.regularize.values() for name in r.metric_names()]
        names = [self.recipe.task.metric_names(self.facts), of_regularizers, self._layer_metric_names()]
        of_exports = figure_names(self.recipe.export, self.recipe.task.prediction_metric_names(self.facts))
        measured = [f"{split}/{name}" for kind in names for split in splits for name in kind]
        return ["train/loss", *measured, *self._baseline_metric_names(splits[-1:]), *of_exports]

    def _baseline_metric_names(self, splits: list[str]) -> list[str]:
        """Return the metrics of baselines, which are measured on test, or on val where there is no test split."""
        metrics = self.recipe.task.baseline_metrics(self.facts) if self.recipe.baselines else []
        return [f"{split}/{metric}.{name}" for split in splits for name in self.recipe.baselines for metric in metrics]

    @property
    def quantity_names(self) -> list[str]:
        """The quantities of a plan."""
        return [f"plan/{name}" for name in QUANTITIES]

    @property
    def world_size(self) -> int:
        """Devices of all nodes together."""
        return self.recipe.world_size

    @property
    def batch_size(self) -> int:
        """Samples in one optimizer step: all of them for a full-batch optimizer."""
        return self.recipe.global_batch_size(self.facts.counts["train"])

    @property
    def micro_batch_size(self) -> int:
        """Samples that a device computes at once."""
        return self.recipe.micro_batch_size(self.facts.counts["train"])

    def peak_activations(self, role: str, activation_checkpointing: bool) -> int:
        """Return the bytes of one sample's activations in a network that are alive at once at most."""
        return peak_activations(self.networks[role], number_sizes(self.recipe.hardware), activation_checkpointing)

    def metric_mode(self, metric: str) -> Literal["min", "max"] | None:
        """Return in which direction a metric is better: as the task says of those on val, and of its own monitor."""
        task = self.recipe.task
        if metric == task.monitor:
            return "min" if task.monitor_mode == "min" else "max"
        split, _, name = metric.partition("/")
        way = task.metric_names(self.facts).get(name) if split == "val" else None
        return {"lower": "min", "higher": "max"}.get(way or "")  # type: ignore[return-value]

    def _layer_metric_names(self) -> list[str]:
        """Return the metrics that layers of the networks have."""
        try:
            roles = self.recipe.task.roles(self.facts)
            trees = [for_role(self.recipe.model, role).tree(wanted.input) for role, wanted in roles.items()]
        except ShapeError:
            return []  # said elsewhere, with its place
        layers = (part for tree in trees for part in iter_layers(tree) if isinstance(part, Layer))
        return sorted({name for layer in layers for name in layer.metric_names})


def find_problems(context: PlanContext) -> list[Problem]:
    """Return what any section, component or layer refuses, or warns of."""
    found = list(_problems_in(context.recipe, (), context))
    for plan in context.networks.values():
        with_rules = (item for item in walk(plan.tree, plan.input) if type(item[1]).check is not Section.check)
        for path, layer, x in with_rules:
            found += layer.check(replace(context, path=path, input=x))
    return list(dict.fromkeys(found))


def _problems_in(holder: Section, loc: Loc, context: PlanContext) -> Iterator[Problem]:
    """Yield the problems of a section or component and of all inside of it, but for layers: they stand in networks.

    What is inside of a component that is refused is not asked: it would only say the same again.
    """
    own = list(holder.check(context))
    yield from (problem.within(*loc) for problem in own)
    if isinstance(holder, Component) and any(problem.severity == "error" for problem in own):
        return
    for name, value in holder:
        for inner, section in sections_in(value):
            yield from _problems_in(section, (*loc, name, *inner), context)
