"""Building: from a plan to the networks, the LightningModule and the batches that Lightning runs."""

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
from dlx.engine.build.activation_checkpointing import checkpoint_activations
from dlx.engine.build.adapt import attach_adapters
from dlx.engine.build.published import load_published_weights
from dlx.engine.build.weights import load_initial_weights
from dlx.engine.data.batches import (
    Batches,
    build_augmentation,
    build_transforms,
    bytes_to_floats,
    move_to_device,
)
from dlx.engine.data.verify import read_planned_data
from dlx.engine.distributed.collectives import rank
from dlx.engine.distributed.processes import world_size
from dlx.facts import DataFacts
from dlx.models import initialize
from dlx.name_maps import OWN_NAMES
from dlx.nn.protocols import Batch
from dlx.plan import Plan
from dlx.plan.blocks import blocks
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.transfer import InitFrom
from dlx.tasks import Learning, for_role

EVAL_SAMPLES = 256  # in a batch that is evaluated, at most
EVAL_TIME_STEPS = 4096  # of all sequences in it together
EVAL_ACTIVATIONS = 2**24  # numbers that layers would keep of it in training


@dataclass(frozen=True)
class Experiment:
    """Torch and Lightning objects, ready to run: the module, and the batches of each split that has samples."""

    plan: Plan
    module: pl.LightningModule
    batches: Mapping[str, Batches]
    prepared: Prepared


def build(plan: Plan) -> Experiment:
    """Build a plan: networks are seeded by the recipe; data are read, unless they had to be for the plan."""
    hardware = plan.recipe.hardware
    torch.set_num_threads(int(hardware.num_threads))
    torch.use_deterministic_algorithms(plan.recipe.train.deterministic)
    prepared = plan.prepared or read_planned_data(plan)
    return Experiment(plan, build_module(plan), build_batches(plan, prepared), prepared)


def build_module(plan: Plan) -> pl.LightningModule:
    """Build the networks, initialize their weights by the seed, and build the LightningModule that trains them."""
    recipe = plan.recipe
    pl.seed_everything(recipe.seed, verbose=False)
    networks = {}
    for role, network in plan.networks.items():
        networks[role] = network.tree.build(network.input)  # type: ignore[arg-type]
        initialize(networks[role], network.tree, network.input, for_role(recipe.model, role).init)
    if recipe.init_from is not None:
        _initialize_from(networks, plan, recipe.init_from)
    for role, network in plan.networks.items():
        if recipe.adapt is not None:
            attach_adapters(networks[role], recipe.adapt, network.tree, network.input)  # type: ignore[arg-type]
        if recipe.hardware.precision == 64:
            networks[role].register_forward_pre_hook(to_double)
        if recipe.hardware.channels_last:
            to_channels_last(networks[role])
        if recipe.hardware.activation_checkpointing:
            checkpoint_activations(networks[role], (path for path, _, _ in blocks(network.tree, network.input)))
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


def _initialize_from(networks: Mapping[str, nn.Module], plan: Plan, init_from: InitFrom) -> None:
    """Copy the weights of another run, or of a published file, into networks."""
    if init_from.file is None:
        load_initial_weights(networks, init_from)
        return
    for role, network in networks.items():  # only one: the plan has checked it
        model = for_role(plan.recipe.model, role)
        name_map = {"dlx": OWN_NAMES, **model.name_maps()}[init_from.names]
        load_published_weights(network, name_map, init_from, plan.base, plan.network_facts)


def to_double(network: nn.Module, inputs: Any) -> Any:
    """Cast a network's inputs to double precision: tasks draw noise, and hold decoded samples, in single precision."""
    return apply_to_collection(inputs, torch.Tensor, lambda x: x.double() if x.is_floating_point() else x)


def to_channels_last(network: nn.Module) -> None:
    """Change the memory layout of convolution weights to channels last."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(make_contiguous)


def make_contiguous(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Make inputs without gradient contiguous: else torch 2.13 reads memory that is not there, on a CPU."""
    return tuple(x if x.requires_grad else x.contiguous() for x in inputs)


def batch_to_channels_last(batch: Batch) -> Batch:
    """Change the memory layout of images to channels last, as that of the weights of convolutions."""
    for name, value in batch.items():
        if value.ndim == 4:
            batch[name] = value.contiguous(memory_format=torch.channels_last)
    return batch


def build_batches(plan: Plan, prepared: Prepared) -> dict[str, Batches]:
    """Return the batches of every split that has samples."""
    recipe, train, device = plan.recipe, plan.recipe.train, device_of(plan.recipe)
    convert = bytes_to_floats(plan.facts)
    layout = [batch_to_channels_last] if recipe.hardware.channels_last else []
    transforms = build_transforms(recipe.data.transforms, plan.facts)  # type: ignore[arg-type]
    augment = build_augmentation(recipe.data.augment, plan.facts, plan.base)
    test = Batches(
        move_to_device(prepared.arrays, device),
        select_rows(plan, prepared, "test"),
        max(1, max(_eval_batch_size(plan), train.batch_size) // train.gradient_accumulation),
        recipe.seed,
        transforms=[convert, *transforms, *layout],
        num_workers=int(recipe.data.num_workers),
        device=device,
        rank=rank() % world_size(plan),
        num_replicas=world_size(plan),
    )
    rows = select_rows(plan, prepared, "train")
    train_batches = replace(
        test,
        rows=rows,
        size=recipe.global_batch_size(len(rows)),
        shuffle=True,
        transforms=[convert, *([augment] if augment else []), *transforms, *layout],
        random=augment is not None,
        samples_per_class=train.samples_per_class,
    )
    val = replace(test, rows=select_rows(plan, prepared, "val"))
    splits = {"train": train_batches, "val": val, "test": test}
    return {name: batches for name, batches in splits.items() if len(batches.rows)}


def build_test_batches(plan: Plan, prepared: Prepared) -> Batches:
    """Return the batches of all test samples, however few of them the recipe tests in training."""
    return build_batches(plan.evolve("recipe.train.limit_test_samples", None), prepared)["test"]


def select_rows(plan: Plan, prepared: Prepared, split: str) -> np.ndarray:
    """Return the rows of a split that are used: all, or an even draw of as many as the recipe allows."""
    train, facts = plan.recipe.train, prepared.facts
    limits = {"train": train.limit_train_samples, "val": train.limit_val_samples, "test": train.limit_test_samples}
    labels = prepared.arrays.get("target") if facts.has_one_class_each else None
    return limit_rows(prepared.rows[split], limits[split], labels, plan.recipe.seed)


def _eval_batch_size(plan: Plan) -> int:
    """Return the batch size of an evaluation: less where samples are long, or a network is large for a CPU."""
    steps = [_sequence_length(name, plan.facts) for name, spec in plan.facts.fields.items() if "T" in spec.axes]
    room = EVAL_ACTIVATIONS // max(1, sum(network.cost.activations for network in plan.networks.values()))
    fit = room if plan.recipe.hardware.accelerator == "cpu" else EVAL_SAMPLES
    return max(1, min(EVAL_SAMPLES, EVAL_TIME_STEPS // max(steps, default=1), fit))


def _sequence_length(name: str, facts: DataFacts) -> int:
    return facts.lengths[name].max if name in facts.lengths else facts.fields[name].dims[0] or 1


def device_of(recipe: Recipe) -> torch.device:
    """Return the device on which batches are made."""
    kinds = {"cpu": "cpu", "gpu": "cuda", "mps": "mps", "tpu": "xla"}
    return torch.device(kinds[recipe.hardware.accelerator])
