"""Strategies: distributed training on several devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from dlx.component import Component
from dlx.rules import CheckContext, Problem, Rule


class TooManyDevices(Rule):
    """A strategy cannot use so many devices.

    `hardware.devices` times `hardware.num_nodes` is more than the strategy can spread a training over.

    Why:      the other devices would do nothing.
    Instead:  write `strategy: ddp`, or leave it to `auto`; or ask for fewer devices.
    Wrong:    hardware: {accelerator: cpu, devices: 2, strategy: single_device}
    Right:    hardware: {accelerator: cpu, devices: 2, strategy: ddp}
    """

    code: ClassVar[str] = "DLX420"


class NeedsFullParameters(Rule):
    """Something needs weights or gradients whole, of which each device holds a part.

    A sharded strategy such as fsdp gives every device a part of each parameter and gradient. Some optimizers and
    regularizers use the whole: the norm of a row, a second derivative, an average that takes the weights' place.

    Why:      on a part it would compute something else.
    Instead:  use ddp, which keeps a copy of everything on every device.
    Wrong:
        optimizer: lbfgs
        hardware: {accelerator: cpu, devices: 2, strategy: fsdp}
    Right:
        optimizer: lbfgs
        hardware: {accelerator: cpu, devices: 2, strategy: ddp}
    """

    code: ClassVar[str] = "DLX421"


class Strategy(Component):
    """A way to train on several processes or devices."""

    family = "strategies"
    most_devices: ClassVar[int | None] = None
    """How many devices it can use at most; None is as many as there are."""

    shards_parameters: ClassVar[bool] = False
    """Whether each device holds only a shard of every parameter during training."""

    def build(self, in_turns: bool) -> Any:
        """Return what `pytorch_lightning.Trainer(strategy=…)` takes.

        in_turns  whether several networks move one after the other, each down a gradient of its own
        """
        raise NotImplementedError

    def check(self, context: CheckContext) -> Iterable[Problem]:
        hardware = context.recipe.hardware
        if self.most_devices is not None and context.world_size > self.most_devices:
            message = f"{self.type} uses {self.most_devices} device, but there are {hardware.devices}"
            message += f" on each of {hardware.num_nodes} nodes" if hardware.num_nodes > 1 else ""
            yield TooManyDevices.at(message)


def check_full_parameters(component: Component, context: CheckContext) -> Iterator[Problem]:
    """Refuse a component that needs parameters whole where devices hold parts of them."""
    strategy = context.recipe.hardware.strategy
    if context.world_size > 1 and isinstance(strategy, Strategy) and strategy.shards_parameters:
        message = f"needs weights and gradients whole, of which {strategy.type} gives a device a part: use ddp"
        yield NeedsFullParameters.at(f"{component.type} {message}")
