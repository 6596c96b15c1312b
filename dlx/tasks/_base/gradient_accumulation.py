"""Gradient accumulation: the gradient of a batch, computed in micro-batches and by several processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn

from dlx.nn.protocols import Batch
from dlx.tasks import WEIGHT

if TYPE_CHECKING:
    from dlx.tasks._base.module import TaskModule

LossFn = Callable[[Batch], Tensor]
"""The mean loss of a batch, or of a micro-batch."""
Penalty = Callable[[], Tensor | float]
"""What is added to the loss once in every step, whatever its batch."""
LeaveAutocast = Callable[[], AbstractContextManager[Any]]
"""Ends autocast, in which Lightning runs all of a training step, for what is no forward pass."""


class BatchGradient:
    """Adds the gradient of a batch's mean loss, and of a penalty, to the parameters' gradients.

    Micro-batches are weighted by their samples, so that the gradient is that of the whole batch where the loss is a
    mean over samples; a loss with another denominator brings along what it needs of the whole batch (`TERMS`).

    micro_batches  how many a batch is split into, at most
    min_samples    samples of a micro-batch at least: 2 where samples are compared, or have statistics in common
    """

    def __init__(self, module: TaskModule, micro_batches: int, min_samples: int, leave_autocast: LeaveAutocast) -> None:
        trainer: Any = module.trainer
        self.module, self.strategy = module, trainer.strategy
        self.micro_batches, self.min_samples, self.leave_autocast = micro_batches, min_samples, leave_autocast
        self.scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.is_single_process = isinstance(trainer.strategy, SingleDeviceStrategy)
        self.is_sharded = any(hasattr(parameter, "to_local") for parameter in module.parameters())

    def __call__(self, batch: Batch, loss_fn: LossFn, penalty: Penalty) -> Tensor:
        """Return the mean loss of the batch, detached."""
        if self.micro_batches == 1 and self.is_single_process:
            loss = loss_fn(batch) + penalty()
            self._backward(loss)
            return loss.detach()
        parts = split(batch, self.micro_batches, self.min_samples)
        shares = [_weight(part, len(batch["rows"])) for part in parts]
        idle = self._max_micro_batches(len(parts)) - len(parts)  # while others compute more, with sharded parameters
        total: Tensor | None = None
        for number, (part, share) in enumerate(zip(parts + parts[:1] * idle, shares + [0.0] * idle, strict=True)):
            loss = loss_fn(part) * share + (penalty() if number == 0 else 0.0)
            with nullcontext() if number == len(parts) + idle - 1 else self._no_sync():
                self._backward(loss)
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total if self.is_single_process else _mean_over_processes(total)

    def _backward(self, loss: Tensor) -> None:
        with self.leave_autocast():
            if not self.is_single_process:
                self.module.manual_backward(loss)
            elif self.scaler is None:
                loss.backward()  # type: ignore[no-untyped-call]
            else:
                self.scaler.scale(loss).backward()

    def _max_micro_batches(self, parts: int) -> int:
        """Return how many micro-batches a process computes at most: all must, where parameters are sharded."""
        if self.micro_batches == 1 or not self.is_sharded:
            return parts
        number = torch.tensor(parts, device=self.module.device)
        torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX)
        return int(number)

    def _no_sync(self) -> AbstractContextManager[Any]:
        block = getattr(self.strategy, "block_backward_sync", None)
        return nullcontext() if self.is_single_process or block is None else block()  # type: ignore[no-any-return]


def split(batch: Batch, micro_batches: int, min_samples: int = 1) -> list[Batch]:
    """Split a batch into micro-batches of nearly equal size; into fewer, where samples do not suffice for each."""
    count = max(1, min(micro_batches, len(batch["rows"]) // min_samples))
    parts = {name: value.tensor_split(count) for name, value in batch.items()}
    return [{name: values[i] for name, values in parts.items()} for i in range(count)]


def mean_terms(terms: Tensor | int, batch: Batch) -> Tensor:
    """Return for each sample (B,) how many terms a sample has on average, in the parts of a batch of all processes."""
    rows = batch["rows"]
    total = torch.as_tensor(
        terms, device=rows.device, dtype=torch.float64 if rows.device.type == "cpu" else torch.float32
    )
    if WEIGHT in batch:
        mean = total * batch[WEIGHT][0]  # the number of processes over the samples of all; 0 for a repeated part
        torch.distributed.all_reduce(mean)
        mean = mean / torch.distributed.get_world_size()
    else:
        mean = total / len(rows)
    return mean.expand(len(rows))


def _weight(part: Batch, samples: int) -> Tensor | float:
    """Return the weight of a micro-batch in the mean over its batch, of which other processes may have a part."""
    return part[WEIGHT].sum() if WEIGHT in part else len(part["rows"]) / samples


def has_batch_statistics(networks: nn.Module) -> bool:
    """Return whether a network normalizes by the statistics of a batch, of which one sample has none."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in networks.modules())


def _mean_over_processes(loss: Tensor) -> Tensor:
    """Return the mean of the processes' losses where the host reads it in every step, as it decides by it."""
    if is_on_host(loss):
        torch.distributed.all_reduce(loss)
        loss /= torch.distributed.get_world_size()
    return loss


def is_on_host(loss: Tensor) -> bool:
    """Return whether the host can read a loss without waiting for a device."""
    return loss.device.type == "cpu"
