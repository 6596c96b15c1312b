"""A plan as plain values: what `dlx plan` shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlx.adapters import Adapter
from dlx.facts import DataFacts
from dlx.optimizers import lr_scales
from dlx.permissions import refuse_tracker, remote_host, without_password
from dlx.plan.memory import number_sizes
from dlx.plan.networks import NetworkPlan, describe_shape
from dlx.plan.plan import Plan, checkpoint_monitor
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.transfer import first_training_step
from dlx.tasks import for_role


def report(plan: Plan) -> dict[str, Any]:
    """Return everything that a plan says, ready for JSON; of a plan in stages what it says of each, by name."""
    if plan.stages:
        return {"name": plan.recipe.name, "stages": {name: report(stage) for name, stage in plan.stages.items()}}
    return {
        "name": plan.recipe.name,
        "networks": {role: _network(network, plan) for role, network in plan.networks.items()},
        "memory": {**asdict(plan.memory), "total": plan.memory.total},
        "steps": plan.length.steps,
        "steps_per_epoch": plan.length.steps_per_epoch,
        "batch_size": plan.recipe.train.batch_size,
        "data": {**_data(plan.facts, plan.network_facts), "limits": _limits(plan)},
        "auto": dict(plan.auto_values),
        "monitor": _monitor(plan),
        "addresses": list(addresses(plan.recipe, plan.base)),
        "warnings": [{"code": warning.code, "message": warning.message} for warning in plan.warnings],
        "quantities": plan.quantities,
    }


def _network(network: NetworkPlan, plan: Plan) -> dict[str, Any]:
    weights = network.weighted_layers
    optimizer = for_role(plan.recipe.optimizer, network.role).inner_optimizer
    bytes_of = number_sizes(plan.recipe.hardware)
    factor, step = lr_scales(optimizer, weights), first_training_step(plan.recipe.freeze, weights, plan.length.steps)
    adapter, added = network.adapter, network.added_parameters
    # without a pattern, the lr decays from module to module inside a layer too
    inside = optimizer.layer_decay if optimizer.layers_pattern is None else 1.0
    return {
        "input": describe_shape(network.input),
        "output": describe_shape(network.output),
        **asdict(network.cost),
        "trainable_parameters": network.trainable_parameters,
        "num_parameters": network.num_parameters,
        "activation_bytes": bytes_of.activation_bytes(network.cost),
        "layer_decay": inside if inside != 1 else None,
        "layers": [
            {
                "name": row.path,
                "type": row.kind,
                "output": describe_shape(row.output),
                **asdict(row.cost),
                "activation_bytes": bytes_of.activation_bytes(row.cost),
                "lr_factor": factor.get(row.path),
                "learns_from": _step(step(row.path)) if row.path in factor else None,
                "adapter": _adapter(adapter, added, row.path) if adapter is not None and row.path in factor else None,
            }
            for row in network.rows
        ],
    }


def _monitor(plan: Plan) -> dict[str, str] | None:
    """Return the metric that chooses the best checkpoint, "min" or "max" of it; None without a val split."""
    metric, mode = checkpoint_monitor(plan)
    return None if metric is None else {"metric": metric, "mode": mode}


def addresses(recipe: Recipe, base: Path) -> Iterator[str]:
    """Yield what a recipe fetches from elsewhere or sends there, each with its address."""
    source = recipe.data.source.address(base)
    if source:
        yield f"data come from {source}"
    uri = recipe.tracking.uri
    if uri is not None and (refusal := refuse_tracker(uri)):
        yield refusal
    elif uri is not None and remote_host(uri):
        yield f"runs are sent to {without_password(uri)}"


def _adapter(adapter: Adapter, added: Mapping[str, int], path: str) -> str:
    """Say how a layer learns beside an adapter: whole, by what is added to it, or never."""
    if adapter.is_trained_whole(path):
        return "whole"
    return f"{adapter.type}, {added[path]:,} parameters" if path in added else "never"


def _step(step: float) -> int | str:
    return "never" if math.isinf(step) else math.ceil(step)


def _data(facts: DataFacts, network_facts: DataFacts) -> dict[str, Any]:
    return {
        "samples": dict(facts.counts),
        "inputs": {name: _field(facts, network_facts, name) for name in facts.inputs},
        "target": facts.target,
        "kind": facts.kind if facts.target else None,
        "classes": list(facts.classes),
        "class_counts": list(facts.class_counts),
        "fingerprint": facts.fingerprint,
        "inferred": list(facts.inferred),
    }


def _limits(plan: Plan) -> dict[str, int]:
    """Return how many samples of a split are used, where that is not all of them."""
    train, counts = plan.recipe.train, plan.facts.counts
    limits = {"train": train.limit_train_samples, "val": train.limit_val_samples, "test": train.limit_test_samples}
    return {split: limit for split, limit in limits.items() if limit is not None and limit < counts.get(split, 0)}


def _field(facts: DataFacts, network_facts: DataFacts, name: str) -> Mapping[str, str]:
    return {
        "shape": describe_shape(facts.fields[name]),
        "type": facts.fields[name].dtype,
        "seen": f"{describe_shape(network_facts.fields[name])} {network_facts.fields[name].dtype}",
    }


def outline(plan: Plan) -> str:
    """Say in a few words what a plan trains."""
    if plan.stages:
        return f"{len(plan.stages)} stages: {', '.join(plan.stages)}"
    return f"{plan.quantities['plan/parameters']:,} parameters, {plan.length.steps:,} steps"
