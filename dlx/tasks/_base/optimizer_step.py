"""Optimizer step: the gradient of a batch, accumulated over micro-batches if memory asks for it, then the update."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor

from dlx.tasks import WEIGHT

Batch = dict[str, Tensor]
Objective = Callable[[Batch], Tensor]
"""The mean loss of a portion, with everything that is added to it."""


class Update:
    """Steps one network's optimizer and schedule as Lightning would, without asking every callback in every step.

    Callbacks that override `on_before_optimizer_step` are called, with gradients that are complete. A batch whose loss
    is not finite is left out where the host sees the loss anyway, on a CPU; on other devices the points of the curve
    tell.
    """

    def __init__(
        self, module: pl.LightningModule, optimizer: Any, scheduler: Any | None, micro_batches: int, closure: bool
    ) -> None:
        trainer: Any = module.trainer
        self.module, self.trainer = module, trainer
        self.optimizer, self.scheduler, self.micro_batches, self.closure = optimizer, scheduler, micro_batches, closure
        self.scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.mixed = trainer.precision in ("16-mixed", "bf16-mixed")
        self.is_single = isinstance(trainer.strategy, SingleDeviceStrategy)
        self.in_parts = any(hasattr(p, "to_local") for group in optimizer.param_groups for p in group["params"])
        self.before = [c for c in trainer.callbacks if is_overridden("on_before_optimizer_step", c, parent=pl.Callback)]

    def __call__(self, batch: Batch, objective: Objective, along: Sequence[Update] = ()) -> Tensor:
        """Learn from a batch; return its mean loss, detached. The network stays as it was if that is not finite.

        The networks of `along` move down the same gradient, each by its own optimizer; none of them by a closure.
        """
        moving = (self, *along)
        if self.closure:
            loss = self._by_closure(batch, objective)
        else:
            _forget_gradients(moving)
            loss = self._gradient(batch, objective)
            if is_lost(loss):
                _forget_gradients(moving)
                return loss
            self._move(moving)
        if self.mixed:
            torch.clear_autocast_cache()  # of the weights as they were
        for update in moving:
            if update.scheduler is not None:
                update.scheduler.step()
        return loss

    def _gradient(self, batch: Batch, objective: Objective) -> Tensor:
        """Add the gradient of the batch's mean loss to the parameters'."""
        if self.micro_batches == 1 and self.is_single:
            loss = objective(batch)
            self._backward(loss)
            return loss.detach()
        total, size = None, len(batch["rows"])
        parts = [(part, 1.0) for part in split(batch, self.micro_batches)]
        parts += [(parts[0][0], 0.0)] * (self._most(len(parts)) - len(parts))
        for number, (part, counts) in enumerate(parts):
            loss = objective(part) * (part[WEIGHT].sum() if WEIGHT in part else len(part["rows"]) / size) * counts
            with nullcontext() if number == len(parts) - 1 else self._unsynchronized():
                self._backward(loss)
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total if self.is_single else self._of_all(total)

    def _backward(self, loss: Tensor) -> None:
        with self._full_precision():
            if not self.is_single:
                self.module.manual_backward(loss)
            elif self.scaler is None:
                loss.backward()  # type: ignore[no-untyped-call]
            else:
                self.scaler.scale(loss).backward()

    def _move(self, moving: Sequence[Update]) -> None:
        with self._full_precision():
            for update in moving:
                for callback in self.before:
                    callback.on_before_optimizer_step(self.trainer, self.module, update.optimizer)
                if self.scaler is None:
                    update.optimizer.step()
                else:
                    self.scaler.step(update.optimizer)
            if self.scaler is not None:
                self.scaler.update()

    def _by_closure(self, batch: Batch, objective: Objective) -> Tensor:
        """Step an optimizer that evaluates the loss as often as it likes; the first evaluation is the batch's loss."""
        losses: list[Tensor] = []

        def evaluate() -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad()
                losses.append(self._gradient(batch, objective))
                for callback in self.before:
                    callback.on_before_optimizer_step(self.trainer, self.module, self.optimizer)
            return losses[-1]

        self.optimizer.step(evaluate)
        return losses[0]

    def _full_precision(self) -> AbstractContextManager[Any]:
        """Leave autocast, in which Lightning runs all of a training step: only the forward pass belongs in it."""
        return torch.autocast(self.module.device.type, enabled=False) if self.mixed else nullcontext()

    def _of_all(self, loss: Tensor) -> Tensor:
        """Return the mean of the processes' losses where the host looks at it in every step, as it decides by it."""
        if _is_known(loss):
            torch.distributed.all_reduce(loss)
            loss /= torch.distributed.get_world_size()
        return loss

    def _most(self, micro_batches: int) -> int:
        """Return how many micro-batches a process computes at most: all must, where they gather parameters together."""
        if self.micro_batches == 1 or not self.in_parts:
            return micro_batches
        number = torch.tensor(micro_batches, device=self.module.device)
        torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX)
        return int(number)

    def _unsynchronized(self) -> AbstractContextManager[Any]:
        block = getattr(self.trainer.strategy, "block_backward_sync", None)
        return nullcontext() if self.is_single or block is None else block()  # type: ignore[no-any-return]


def split(batch: Batch, micro_batches: int) -> Iterator[Batch]:
    """Yield a batch in equal micro_batches, the last of which may be smaller."""
    size = math.ceil(len(batch["rows"]) / micro_batches)
    parts = {name: value.split(size) for name, value in batch.items()}
    for i in range(len(parts["rows"])):
        yield {name: values[i] for name, values in parts.items()}


def is_lost(loss: Tensor) -> bool:
    """Say whether a loss is not finite, where the host can look at it without waiting for a device."""
    return _is_known(loss) and not math.isfinite(loss.item())


def _is_known(loss: Tensor) -> bool:
    return loss.device.type == "cpu"


def _forget_gradients(updates: Sequence[Update]) -> None:
    for update in updates:
        update.optimizer.zero_grad()
