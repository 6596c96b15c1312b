"""What a recipe asks for that a plain project cannot have: each refusal is a place and a reason."""

from __future__ import annotations

from collections.abc import Iterator

from dlx.diagnostic import Loc
from dlx.plan import Plan
from dlx.plan.plan import checkpoint_monitor
from dlx.regularizers import Regularizer
from dlx.tasks import for_role

Refusal = tuple[Loc, str]
PLAIN_LOSS = "val/loss"


def refusals_of(plan: Plan) -> Iterator[Refusal]:
    """Yield what stands against a plain project, as far as the plan says."""
    recipe = plan.recipe
    if plan.stages:
        yield ("stages",), "a project trains once: eject the recipe of a stage"
        return
    if len(plan.networks) != 1:
        yield ("task",), f"it trains {len(plan.networks)} networks: {', '.join(plan.networks)}"
        return
    if recipe.init_from is not None:
        yield ("init_from",), "a project begins with weights of its own"
    if recipe.adapt is not None:
        yield ("adapt",), "adapters change the layers of a network that is there"
    if recipe.freeze:
        yield ("freeze",), "layers that are frozen"
    if recipe.data.augment:
        yield ("data", "augment"), "augmentations draw their random numbers for every batch anew"
    yield from _of_training(plan)
    yield from _of_hardware(plan)
    yield from _of_learning(plan)


def _of_learning(plan: Plan) -> Iterator[Refusal]:
    recipe = plan.recipe
    for name, regularizer in recipe.regularize.items():
        if regularizer.callback() is not None or type(regularizer).penalty is not Regularizer.penalty:
            yield ("regularize", name), "it acts on every step of training"
    for role in plan.networks:
        optimizer, schedule = for_role(recipe.optimizer, role), for_role(recipe.schedule, role)
        if optimizer.needs_closure:
            yield ("optimizer",), "it evaluates the loss several times in a step"
        if not schedule.is_constant and schedule.formula(plan.length) is None:
            yield ("schedule",), "its learning rate has no short formula"


def _of_training(plan: Plan) -> Iterator[Refusal]:
    train, length = plan.recipe.train, plan.length
    if train.gradient_accumulation > 1:
        yield ("train", "gradient_accumulation"), "batches in parts"
    if train.samples_per_class:
        yield ("train", "samples_per_class"), "batches that are composed by class"
    if train.steps is not None and length.steps % length.steps_per_epoch:
        yield ("train", "steps"), "training ends within an epoch"
    monitor, _ = checkpoint_monitor(plan)
    if monitor not in (None, PLAIN_LOSS):
        place = ("train", "monitor") if train.monitor else ("task",)
        yield place, f"the best weights are chosen by {monitor}, and a project chooses by {PLAIN_LOSS}"


def _of_hardware(plan: Plan) -> Iterator[Refusal]:
    hardware = plan.recipe.hardware
    wrong = {
        "devices": plan.recipe.world_size > 1,
        "precision": hardware.precision != 32,
        "compile": hardware.compile,
        "channels_last": bool(hardware.channels_last),
        "activation_checkpointing": hardware.activation_checkpointing,
    }
    for name, asks in wrong.items():
        if asks:
            yield ("hardware", name), f"{name}: {getattr(hardware, name)}"
