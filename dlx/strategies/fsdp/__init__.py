from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.rules import CheckContext, Problem, Rule
from dlx.strategies import Strategy

ACCELERATORS = ("cpu", "gpu")
"""Kinds of devices on which torch can shard parameters."""


class UnsupportedWithShards(Rule):
    """A setting of the hardware does not work where parameters are sharded.

    fsdp works on CPUs and GPUs, and not together with `compile`, `channels_last` and 16-mixed precision.

    Why:      torch would fail in the middle of the first step, or give other numbers.
    Instead:  use ddp, or leave the setting out.
    Wrong:    hardware: {accelerator: cpu, devices: 2, strategy: fsdp, compile: true}
    Right:    hardware: {accelerator: cpu, devices: 2, strategy: fsdp}
    """

    code: ClassVar[str] = "DLX422"


class FSDP(Strategy):
    """Fully sharded data parallel (FSDP): parameters, gradients and optimizer state are sharded across devices.

    A device holds one shard of each tensor, along its first dimension, and updates it; layers are gathered one by one
    when they are used. The steps are those of one device with the whole batch, as with ddp. For networks whose
    gradients and optimizer state do not fit on one device; slower than ddp where that fits. Between two epochs, during
    evaluation and at the end every device holds the full network. Checkpoints are full as well, the same as one device
    would write, and any number of devices can resume from them. What needs full weights or gradients during training is
    refused at its line in the recipe.

    Units:   min_num_params counts parameters.
    Raises:  RunError if a parameter is a single number without dimensions, which cannot be sharded.
    Source:  Zhao et al. 2023, arXiv:2304.11277; torch.distributed.fsdp.fully_shard.

    Example:
        {type: fsdp, reshard_after_forward: true}
    """

    shards_parameters: ClassVar[bool] = True
    type: Literal["fsdp"] = "fsdp"
    reshard_after_forward: bool = True
    """Whether gathered parameters are freed after the forward pass and gathered again for the backward pass (ZeRO-3);
    false keeps them, which needs more memory and sends less (ZeRO-2).
    """
    min_num_params: int = Field(1_000_000, ge=1)
    """Parameters from which on a layer of a sequence is gathered by itself; smaller ones with what is around them."""

    def build(self, in_turns: bool) -> Any:
        from dlx.strategies.fsdp.module import FullyShardedStrategy

        return FullyShardedStrategy(self.reshard_after_forward, self.min_num_params)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        hardware = context.recipe.hardware
        if hardware.accelerator not in ACCELERATORS:
            message = f"{self.type} works on {' and '.join(ACCELERATORS)} only, not on {hardware.accelerator}"
            yield UnsupportedWithShards.at(message)
        if context.world_size == 1:
            return
        never = {"compile": hardware.compile, "channels_last": hardware.channels_last}
        never["precision"] = hardware.precision == "16-mixed"
        for name in (name for name, asked in never.items() if asked):
            yield UnsupportedWithShards.at_root(f"{self.type} cannot do this: use ddp", "hardware", name)
