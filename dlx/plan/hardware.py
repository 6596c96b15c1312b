"""Hardware: every `auto` of the section resolved for this machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from dlx import machine
from dlx.layers import Layer, walk
from dlx.plan.networks import NetworkPlan
from dlx.rank import process_rank
from dlx.recipe.schema.hardware import ALONE, TOGETHER, Hardware
from dlx.strategies import Strategy
from dlx.tensors import Spec, TensorSpec

Networks = Sequence[NetworkPlan]
Choice = tuple[Any, str]
"""A value, and why it was chosen, in words."""
SMALL = 20_000_000  # multiply-adds of a step, forward, below which a second thread costs more than it brings
LARGE = 1_000_000_000  # from which on bf16 pays: below, casting costs what multiplying brings
CONVOLVED = 2_000_000  # multiply-adds of a sample from which on images are worth another layout
LONG = 200  # steps from which on it is worth trying how many threads are faster
TRIED = "{}, or 1 if the first steps are faster so"


def resolve_hardware(hardware: Hardware) -> Hardware:
    """Return the section with every `auto` resolved that does not depend on the cost of training."""
    accelerator = machine.accelerator() if hardware.accelerator == "auto" else hardware.accelerator
    devices = _device_count(accelerator, hardware) if hardware.devices == "auto" else hardware.devices
    resolved: dict[str, Any] = {"accelerator": accelerator, "devices": devices}
    for name in ("precision", "strategy", "num_threads"):
        resolved[name] = getattr(hardware, name)
    if hardware.precision == "auto":
        resolved["precision"] = "bf16-mixed" if accelerator == "gpu" else 32
    if hardware.strategy == "auto":
        resolved["strategy"] = Strategy.model_validate(TOGETHER if devices * hardware.num_nodes > 1 else ALONE)
    if hardware.num_threads == "auto":
        resolved["num_threads"] = max(1, machine.cores() // (devices if accelerator == "cpu" else 1))
    if hardware.channels_last == "auto":
        resolved["channels_last"] = False
    return hardware.evolve_all(resolved)


def resolve_by_cost(
    asked: Hardware, hardware: Hardware, networks: Networks, batch: int, steps: int
) -> dict[str, Choice]:
    """Return what is left to `auto` and depends on the cost of training, each with the reason.

    batch  samples that pass through the networks at once
    steps  optimizer steps of the whole training
    """
    macs = batch * sum(network.cost.macs for network in networks)
    found: dict[str, Choice] = {}
    if asked.num_threads == "auto":
        found["num_threads"] = _resolve_threads(hardware, macs, steps)
    if asked.precision == "auto" and hardware.accelerator == "cpu" and macs >= LARGE and machine.multiplies_in_bf16():
        found["precision"] = "bf16-mixed", "bf16-mixed, in which this CPU multiplies faster"
    whole = isinstance(hardware.strategy, Strategy) and not hardware.strategy.shards_parameters
    if asked.channels_last == "auto" and hardware.accelerator == "cpu" and whole and _has_convolutions(networks):
        found["channels_last"] = True, "true, in which a CPU convolves faster"
    return found


def _has_convolutions(networks: Networks) -> bool:
    """Say whether much of what is multiplied gives images, and no layer is slower where channels are last."""
    layers: list[tuple[Layer, Any]] = [(layer, x) for n in networks for _, layer, x in walk(n.tree, n.input)]
    if not all(layer.supports_channels_last for layer, _ in layers):
        return False
    convolved = (layer.cost(x).macs for layer, x in layers if not layer.children(x) and _is_image(layer.shape(x)))
    return any(macs >= CONVOLVED for macs in accumulate(convolved))  # early: walking all of a deep network takes long


def _is_image(x: Spec) -> bool:
    return isinstance(x, TensorSpec) and x.axes == "CHW"


def _resolve_threads(hardware: Hardware, macs: int, steps: int) -> tuple[int, str]:
    """Return the number of CPU threads and the reason. Where training tries which number is faster, it is the most.

    Several threads are never taken untried: beside other programs, two may take longer than one.
    """
    most = int(hardware.num_threads)
    if hardware.accelerator != "cpu":
        return most, str(most)
    if most == 1 or macs < SMALL or not is_worth_trying(hardware, steps):
        return 1, "1"
    return most, TRIED.format(most)


def is_worth_trying(hardware: Hardware, steps: int) -> bool:
    """Say whether training is long enough to repay trying one thread as well."""
    alone = int(hardware.devices) * hardware.num_nodes == 1
    return hardware.accelerator == "cpu" and alone and int(hardware.num_threads) > 1 and steps >= LONG


def _device_count(accelerator: str, hardware: Hardware) -> int:
    """Return how many devices a node uses where the recipe leaves it open: every GPU, unless the strategy takes one."""
    here = process_rank()
    if here is not None:
        return here.local_world_size
    if isinstance(hardware.strategy, Strategy) and hardware.strategy.most_devices is not None:
        return hardware.strategy.most_devices
    return max(1, machine.gpus()) if accelerator == "gpu" else 1
