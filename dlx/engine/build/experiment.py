"""From a plan to the objects that Lightning runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import nn

from dlx.data.prepare import Prepared
from dlx.data.splits import limit_rows
from dlx.engine.build.activation_checkpointing import recompute
from dlx.engine.build.weights import begin
from dlx.engine.data.batches import Batch, Batches, augmenting, floats, resident, transforming
from dlx.engine.data.verify import data_of
from dlx.engine.distributed.collectives import rank
from dlx.engine.distributed.processes import size
from dlx.facts import DataFacts
from dlx.models import initialize
from dlx.plan import WORKERS, Plan
from dlx.plan.blocks import blocks
from dlx.recipe.schema.recipe import Recipe
from dlx.tasks import Learning, for_role

AT_ONCE = 256  # samples that are evaluated together
STEPS_AT_ONCE = 4096  # of sequences, all samples together
NUMBERS_AT_ONCE = 2**24  # that layers would keep of them in training


@dataclass(frozen=True)
class Experiment:
    """Torch and Lightning objects, ready to run: the module, and the batches of each split that has samples."""

    plan: Plan
    module: pl.LightningModule
    batches: Mapping[str, Batches]
    prepared: Prepared


def build(plan: Plan, prepared: Prepared | None = None) -> Experiment:
    """Build a plan: networks are seeded by the recipe, data are read."""
    hardware = plan.recipe.hardware
    torch.set_num_threads(int(hardware.num_threads))
    torch.use_deterministic_algorithms(plan.recipe.train.deterministic)
    prepared = prepared or data_of(plan)
    return Experiment(plan, build_module(plan), batches_of(plan, prepared), prepared)


def build_module(plan: Plan) -> pl.LightningModule:
    """Make the networks, start their weights from the seed, and the module that trains them."""
    recipe = plan.recipe
    pl.seed_everything(recipe.seed, verbose=False)
    networks = {}
    for role, network in plan.networks.items():
        networks[role] = network.tree.build(network.input)  # type: ignore[arg-type]
        initialize(networks[role], network.tree, network.input, for_role(recipe.model, role).init)
    if recipe.init_from is not None:
        begin(networks, recipe.init_from)
    for role, network in plan.networks.items():
        if recipe.hardware.precision == 64:
            networks[role].register_forward_pre_hook(doubled)
        if recipe.hardware.channels_last:
            channels_last(networks[role])
        if recipe.hardware.activation_checkpointing:
            recompute(networks[role], (path for path, _, _ in blocks(network.tree, network.input)))
        if recipe.hardware.compile:
            networks[role].compile()
    train = recipe.train
    learning = Learning(
        recipe.optimizer,
        recipe.schedule,
        recipe.regularize,
        plan.length,
        recipe.task.monitor,
        train.gradient_accumulation,
        train.log_every_n_steps,
    )
    return recipe.task.build(networks, plan.network_facts, learning)


def doubled(network: nn.Module, inputs: Any) -> Any:
    """Widen what a network receives: tasks draw noise, and hold what they decoded, in single precision."""
    return apply_to_collection(inputs, torch.Tensor, lambda x: x.double() if x.is_floating_point() else x)


def channels_last(network: nn.Module) -> None:
    """Lay the weights of convolutions out with their channels together."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(channels_first)


def channels_first(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Lay what needs no gradient out as usual: else torch 2.13 reads memory that is not there, on a CPU."""
    return tuple(x if x.requires_grad else x.contiguous() for x in inputs)


def channels_together(batch: Batch) -> Batch:
    """Lay images out as the weights of convolutions are."""
    for name, value in batch.items():
        if value.ndim == 4:
            batch[name] = value.contiguous(memory_format=torch.channels_last)
    return batch


def monitored(plan: Plan) -> tuple[str | None, str]:
    """Return the metric that chooses the best checkpoint, or None, and whether "min" or "max" of it is best."""
    task, facts = plan.recipe.task, plan.network_facts
    monitor = plan.recipe.train.monitor or task.monitor
    if not facts.counts.get("val"):
        return None, task.monitor_mode
    if monitor == task.monitor:
        return monitor, task.monitor_mode
    better = task.metric_names(facts).get(monitor.partition("/")[2], "lower")
    return monitor, "max" if better == "higher" else "min"


def batches_of(plan: Plan, prepared: Prepared) -> dict[str, Batches]:
    """Return the batches of every split that has samples."""
    recipe, train, device = plan.recipe, plan.recipe.train, device_of(plan.recipe)
    convert = floats(plan.facts)
    lay_out = [channels_together] if recipe.hardware.channels_last else []
    transforms = transforming(recipe.data.transforms, plan.facts)  # type: ignore[arg-type]
    augment = augmenting(recipe.data.augment, plan.facts, plan.base)
    evaluated = Batches(
        resident(prepared.arrays, device),
        used_rows(plan, prepared, "test"),
        max(1, max(_at_once(plan), train.batch_size) // train.gradient_accumulation),
        recipe.seed,
        steps=[convert, *transforms, *lay_out],
        workers=int(recipe.data.num_workers if recipe.data.num_workers != "auto" else WORKERS),
        device=device,
        share=(rank() % size(plan), size(plan)),
    )
    rows = used_rows(plan, prepared, "train")
    learned = replace(
        evaluated,
        rows=rows,
        size=recipe.global_batch_size(len(rows)),
        shuffled=True,
        steps=[convert, *([augment] if augment else []), *transforms, *lay_out],
        random=augment is not None,
        samples_per_class=train.samples_per_class,
    )
    validated = replace(evaluated, rows=used_rows(plan, prepared, "val"))
    made = {"train": learned, "val": validated, "test": evaluated}
    return {name: batches for name, batches in made.items() if len(batches.rows)}


def used_rows(plan: Plan, prepared: Prepared, split: str) -> np.ndarray:
    """Return the rows of a split that are used: all, or an even draw of as many as the recipe allows."""
    train, facts = plan.recipe.train, prepared.facts
    limit = {"train": train.limit_train_samples, "val": train.limit_val_samples, "test": train.limit_test_samples}[
        split
    ]
    one_each = facts.kind == "classes" and not facts.fields["target"].axes
    labels = prepared.arrays["target"] if one_each and "target" in prepared.arrays else None
    return limit_rows(prepared.rows[split], limit, labels, plan.recipe.seed)


def _at_once(plan: Plan) -> int:
    """Return how many samples are evaluated at once: fewer where they are long, or a network is large for a CPU."""
    steps = [_steps(name, plan.facts) for name, spec in plan.facts.fields.items() if "T" in spec.axes]
    room = NUMBERS_AT_ONCE // max(1, sum(network.cost.activations for network in plan.networks.values()))
    fit = room if plan.recipe.hardware.accelerator == "cpu" else AT_ONCE
    return max(1, min(AT_ONCE, STEPS_AT_ONCE // max(steps, default=1), fit))


def _steps(name: str, facts: DataFacts) -> int:
    return facts.lengths[name].max if name in facts.lengths else facts.fields[name].dims[0] or 1


def device_of(recipe: Recipe) -> torch.device:
    """Return the device on which batches are made."""
    kinds = {"cpu": "cpu", "gpu": "cuda", "mps": "mps", "tpu": "xla"}
    return torch.device(kinds[recipe.hardware.accelerator])
