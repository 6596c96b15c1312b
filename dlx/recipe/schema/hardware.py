"""The `hardware` section of a recipe: devices, number format and layout."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from dlx.component import Section
from dlx.recipe.schema.permission import FREE
from dlx.strategies import Strategy

ALONE, TOGETHER = "single_device", "ddp"
"""How one device trains, and how several do, when a recipe does not say."""


def _auto_or_strategy(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if value == "auto" else Strategy.model_validate(value)


class Hardware(Section):
    """Devices, processes, number format and memory layout of a training."""

    accelerator: Literal["auto", "cpu", "gpu", "mps", "tpu"] = "auto"
    """Kind of device."""
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Devices on each node; on a CPU, processes. `auto` is every GPU, and one CPU process."""
    num_nodes: int = Field(1, ge=1)
    """Machines. Several are started from outside: `torchrun --nnodes 2 … -m dlx train RECIPE` on each."""
    strategy: Annotated[Strategy | Literal["auto"], WrapValidator(_auto_or_strategy)] = "auto"
    """How several devices share the work: data parallel (`ddp`, which `auto` takes) or sharded (`fsdp`)."""
    sync_batchnorm: bool = False
    """Whether batch normalization takes its statistics over all GPUs; otherwise each device's share has its own."""
    precision: Literal["auto", 32, 64, "16-mixed", "bf16-mixed"] = "auto"
    """Number format of the computation, 16-mixed and bf16-mixed being mixed precision: `auto` is bf16-mixed on a GPU,
    and on a CPU that multiplies in it where a step is large; else 32 bit.
    """
    compile: bool = False
    """Whether torch compiles the network first: slower to start, faster after."""
    channels_last: bool | Literal["auto"] = "auto"
    """Memory layout: whether the channels of images lie together, in which large convolutions are faster on a CPU:
    there `auto` does so. Sums are then rounded otherwise, and dropout draws in another order.
    """
    activation_checkpointing: bool = False
    """Activation checkpointing: the inside of blocks is computed again in the backward pass instead of kept, which
    takes less memory and a third more time.
    """
    num_threads: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], FREE] = "auto"
    """CPU threads of torch; `auto` tries one and all that this process may use in the first steps."""
