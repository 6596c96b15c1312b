"""The `hardware` section of a recipe: devices, number format and layout."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from dlx import machine
from dlx.byte_sizes import format_size
from dlx.component import Section
from dlx.rank import process_rank
from dlx.recipe.schema.permission import FREE
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.strategies import Strategy

ALONE, TOGETHER = "single_device", "ddp"
"""How one device trains, and how several do, when a recipe does not say."""


class DeviceNotHere(Rule):
    """The machine does not have this device.

    Why:      training would fail when it begins.
    Instead:  write `accelerator: auto`, which takes what is here; or as many devices as there are.
    Wrong:    hardware: {accelerator: mps}
    Right:    hardware: {accelerator: auto}
    """

    code: ClassVar[str] = "DLX410"


class MoreDevicesThanSamples(Rule):
    """There are fewer samples than devices, in a batch or in a split.

    Every device takes an equal share of each batch, at least one sample.

    Why:      a device without samples would wait for the others for ever.
    Instead:  use fewer devices, or larger batches.
    Wrong:    hardware: {accelerator: cpu, devices: 400, strategy: ddp}
    Right:    hardware: {accelerator: cpu, devices: 2, strategy: ddp}
    """

    code: ClassVar[str] = "DLX411"


class OtherNumberOfProcesses(Rule):
    """Another number of processes was started than the recipe asks for.

    torchrun starts `--nnodes` times `--nproc_per_node` processes; a recipe asks for `nodes` times `devices`.

    Why:      processes that nobody expects would wait for ever, or train alone.
    Instead:  give torchrun the numbers of the recipe, or leave `devices: auto`.
    """

    code: ClassVar[str] = "DLX412"


class SyncWithoutGPUs(Rule):
    """Batch statistics are to be shared, but there are no GPUs.

    torch shares the statistics of batch normalization between GPUs only.

    Why:      torch would fail in the first step.
    Instead:  leave `sync_batchnorm` out; every process then has the statistics of its own share of the batch.
    Wrong:    hardware: {accelerator: cpu, sync_batchnorm: true}
    Right:    hardware: {accelerator: cpu}
    """

    code: ClassVar[str] = "DLX413"


class UnsupportedPrecision(Rule):
    """The number format does not work on this device, or with this optimizer.

    A CPU has no 16-mixed, Apple's GPUs have no 64-bit numbers, and an optimizer that evaluates a batch twice cannot
    scale the loss as 16-mixed does.

    Why:      torch would fail, or take steps of the wrong size.
    Instead:  write bf16-mixed, or 32.
    Wrong:    hardware: {accelerator: cpu, precision: 16-mixed}
    Right:    hardware: {accelerator: cpu, precision: bf16-mixed}
    """

    code: ClassVar[str] = "DLX414"


class NoCompiler(Rule):
    """torch is to compile the network, but there is no C++ compiler.

    Why:      compilation would fail in the first step.
    Instead:  install a compiler (apt install g++), or leave `compile` out.
    """

    code: ClassVar[str] = "DLX415"


class NoImages(Rule):
    """The channels of images are to be last, but no input is an image.

    Why:      the setting would do nothing, in silence.
    Instead:  leave `channels_last` out.
    Wrong:    hardware: {accelerator: cpu, channels_last: true}
    Right:    hardware: {accelerator: cpu}
    """

    code: ClassVar[str] = "DLX416"


class TooMuchMemory(Rule):
    """Training needs more memory than a device has.

    Parameters, gradients and the optimizer's state are priced by `dlx plan`, with the activations of the samples that
    are computed at once. Where one sample at a time would fit, training begins with micro-batches that do.

    Why:      training would fail when it begins, or be killed.
    Instead:  make the network or the batch smaller; `dlx train --force` tries all the same.
    Wrong:    model: {mlp: {hidden: [1000000000]}}
    Right:    model: {mlp: {hidden: [100]}}
    """

    code: ClassVar[str] = "DLX511"
    severity: ClassVar[Severity] = "warning"
    stops_training: ClassVar[bool] = True


class LargeBatch(Rule):
    """A batch needs more memory at once than a device has.

    Why:      training halves its micro-batches until one fits, which takes time.
    Instead:  write train.gradient_accumulation, which computes a batch in that many micro-batches.
    """

    code: ClassVar[str] = "DLX512"
    severity: ClassVar[Severity] = "warning"


class UselessCheckpointing(Rule):
    """Activation checkpointing saves nothing in a network without blocks.

    The inside of residual blocks, branches and lists of layers is computed again in the backward pass; a plain line of
    layers has none.

    Why:      a step takes a third longer, and no less memory.
    Instead:  leave `activation_checkpointing` out.
    Wrong:
        model: {type: layers, layers: [{linear: 8}]}
        hardware: {accelerator: cpu, activation_checkpointing: true}
    Right:
        model: {type: layers, layers: [{linear: 8}]}
        hardware: {accelerator: cpu}
    """

    code: ClassVar[str] = "DLX504"
    severity: ClassVar[Severity] = "warning"


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

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from self._check_devices(context)
        yield from self._check_precision(context)
        yield from self._check_checkpointing(context)
        yield from self._check_memory(context)
        if self.sync_batchnorm and self.accelerator != "gpu":
            yield SyncWithoutGPUs.at("batch statistics can be shared between GPUs only", "sync_batchnorm")
        compiler = os.environ.get("CXX", "g++")
        if self.compile and not any(map(shutil.which, (compiler, "clang++", "cl"))):
            message = f"torch compiles with a C++ compiler, and there is no {compiler}: install one (apt install g++)"
            yield NoCompiler.at(message, "compile")
        if self.channels_last is True and not any(
            context.facts.fields[name].axes == "CHW" for name in context.facts.inputs
        ):
            yield NoImages.at("there are no images whose channels could be last", "channels_last")

    def _check_checkpointing(self, context: CheckContext) -> Iterator[Problem]:
        for role in context.networks if self.activation_checkpointing else ():
            if context.peak_activations(role, True) >= context.peak_activations(role, False):
                message = f"activation_checkpointing saves nothing in {role}: it has no blocks to compute again"
                yield UselessCheckpointing.at(message, "activation_checkpointing")

    def _check_memory(self, context: CheckContext) -> Iterator[Problem]:
        there = machine.memory(self.accelerator)
        if context.training_memory is None or there is None:
            return
        copies = int(self.devices) if self.accelerator == "cpu" else 1
        smallest, whole = (copies * size for size in context.training_memory)
        has = f"and this {'GPU' if self.accelerator == 'gpu' else 'machine'} has {format_size(there)}"
        if smallest > there:
            yield TooMuchMemory.at_root(f"training needs {format_size(smallest)} of memory, {has}", "model")
        elif whole > there:
            yield LargeBatch.at_root(f"a batch needs {format_size(whole)} of memory, {has}", "train", "batch_size")

    def _check_devices(self, context: CheckContext) -> Iterator[Problem]:
        here, wanted = process_rank(), context.world_size
        if here is not None and here.world_size != wanted:
            message = f"{here.world_size} processes were started, but devices × num_nodes is {wanted}"
            yield OtherNumberOfProcesses.at(message, "devices")
        elif absent := self._absent_device():
            yield absent
        else:
            few = [f"{name} samples" for name, n in context.facts.counts.items() if 0 < n < wanted]
            few += [f"samples in a batch ({context.batch_size})"] if context.batch_size < wanted else []
            if few:
                yield MoreDevicesThanSamples.at(f"there are fewer {few[0]} than devices ({wanted})", "devices")

    def _absent_device(self) -> Problem | None:
        if self.accelerator == "gpu" and machine.gpus() < int(self.devices):
            message = f"this machine has {machine.gpus()} GPUs, not {self.devices}"
            return DeviceNotHere.at(message, "devices" if machine.gpus() else "accelerator")
        if self.accelerator == "mps" and not machine.is_apple_silicon():
            return DeviceNotHere.at("this machine has no GPU of Apple's", "accelerator")
        if self.accelerator == "tpu" and importlib.util.find_spec("torch_xla") is None:
            return DeviceNotHere.at("a TPU needs torch_xla, which is not installed", "accelerator")
        return None

    def _check_precision(self, context: CheckContext) -> Iterator[Problem]:
        if self.precision == "16-mixed" and self.accelerator == "cpu":
            yield UnsupportedPrecision.at("a CPU has no 16-mixed: write bf16-mixed", "precision")
        if self.precision == 64 and self.accelerator == "mps":
            yield UnsupportedPrecision.at("this accelerator has no 64-bit numbers: write 32", "precision")
        twice = [optimizer.type for optimizer in context.recipe.optimizer.values() if optimizer.needs_closure]
        if twice and self.precision == "16-mixed":
            message = f"{twice[0]} evaluates a batch twice, which 16-mixed cannot do"
            yield UnsupportedPrecision.at(message, "precision")
