"""Optimizer step: the gradient of a batch, then the update of the weights of one network, or of several that share it.

What varies is a strategy: `gradient_accumulation.py` has how the gradient is computed; here is how weights are updated
by it: directly, through the gradient scaler of float16, or by an optimizer that evaluates the loss itself (a closure).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from dlx.nn.joint_optimizer import JointOptimizer
from dlx.nn.protocols import Batch
from dlx.tasks._base.gradient_accumulation import BatchGradient, LeaveAutocast, LossFn, Penalty, is_on_host

if TYPE_CHECKING:
    from dlx.tasks._base.module import TaskModule

ComputeGradient = Callable[[], Tensor]
"""Adds the gradient of a batch to the parameters' gradients, and returns the mean loss, detached."""


class Update(Protocol):
    """How weights are updated."""

    def __call__(self, compute_gradient: ComputeGradient) -> Tensor:
        """Update the weights; return the batch's mean loss, detached."""


class OptimizerStep:
    """Takes an optimizer step as Lightning would, but does not ask every callback in every step.

    Callbacks that override `on_before_optimizer_step` are called, with the complete gradients of all networks that are
    updated. A batch whose loss is not finite is left out where the host sees the loss anyway, on a CPU; on other
    devices the points of the loss curve tell.
    """

    def __init__(self, gradient: BatchGradient, update: Update, schedulers: Sequence[Any], autocasts: bool) -> None:
        self.gradient, self.update, self.schedulers, self.autocasts = gradient, update, schedulers, autocasts

    def __call__(self, batch: Batch, loss_fn: LossFn, penalty: Penalty) -> Tensor:
        """Train on a batch; return its mean loss, detached. Where that is not finite, networks stay as they were."""
        loss = self.update(partial(self.gradient, batch, loss_fn, penalty))
        if is_non_finite(loss):
            return loss
        if self.autocasts:
            torch.clear_autocast_cache()  # of the weights as they were
        for scheduler in self.schedulers:
            scheduler.step()
        return loss


class DirectUpdate:
    """Updates weights once the gradient is complete."""

    def __init__(
        self, optimizers: Sequence[Any], before_step: Callable[[], None], leave_autocast: LeaveAutocast
    ) -> None:
        self.optimizers, self.before_step, self.leave_autocast = optimizers, before_step, leave_autocast

    def __call__(self, compute_gradient: ComputeGradient) -> Tensor:
        self._zero_grad()
        loss = compute_gradient()
        if is_non_finite(loss):
            self._zero_grad()
            return loss
        with self.leave_autocast():
            self._step()
        return loss

    def _step(self) -> None:
        self.before_step()
        for optimizer in self.optimizers:
            optimizer.step()

    def _zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()


class ScaledUpdate(DirectUpdate):
    """Divides the factor of float16 out of the gradient, and leaves a step out where the gradient overflowed."""

    def __init__(
        self,
        optimizers: Sequence[Any],
        before_step: Callable[[], None],
        leave_autocast: LeaveAutocast,
        scaler: torch.amp.GradScaler,
    ) -> None:
        super().__init__(optimizers, before_step, leave_autocast)
        self.scaler = scaler

    def _step(self) -> None:
        for optimizer in self.optimizers:
            if not getattr(optimizer, "_step_supports_amp_scaling", False):  # a fused optimizer does so itself
                self.scaler.unscale_(optimizer)
        self.before_step()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()


class ClosureUpdate:
    """Hands the gradient to an optimizer as a closure, which it evaluates as often as it likes (L-BFGS, SAM)."""

    def __init__(self, optimizer: Any, before_step: Callable[[], None]) -> None:
        self.optimizer, self.before_step = optimizer, before_step

    def __call__(self, compute_gradient: ComputeGradient) -> Tensor:
        """Return the loss of the first evaluation, which is the batch's."""
        losses: list[Tensor] = []

        def closure() -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad()
                losses.append(compute_gradient())
                self.before_step()
            return losses[-1]

        self.optimizer.step(closure)
        return losses[0]


def optimizer_step(
    module: TaskModule, optimizers: Sequence[Any], schedulers: Sequence[Any], by_closure: bool, min_samples: int
) -> OptimizerStep:
    """Return the step of networks that share a gradient, each with its optimizer, by the trainer's strategies."""
    trainer: Any = module.trainer
    autocasts = trainer.precision in ("16-mixed", "bf16-mixed")
    leave_autocast = partial(torch.autocast, module.device.type, enabled=False) if autocasts else nullcontext
    before_step = partial(_call_before_step, module, optimizers)
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    update: Update
    if by_closure:
        update = ClosureUpdate(optimizers[0], before_step)
    elif scaler is None:
        update = DirectUpdate(optimizers, before_step, leave_autocast)
    else:
        update = ScaledUpdate(optimizers, before_step, leave_autocast, scaler)
    gradient = BatchGradient(module, module.learning.micro_batches, min_samples, leave_autocast)
    return OptimizerStep(gradient, update, schedulers, autocasts)


def _call_before_step(module: TaskModule, optimizers: Sequence[Any]) -> None:
    """Let callbacks see the gradients, such as those that clip them: once, of all networks that share a gradient."""
    joint: Any = optimizers[0] if len(optimizers) == 1 else JointOptimizer(optimizers)
    for callback in module.before_step_callbacks:
        callback.on_before_optimizer_step(module.trainer, module, joint)


def is_non_finite(loss: Tensor) -> bool:
    """Return whether a loss is not finite, where the host can read it without waiting for a device."""
    return is_on_host(loss) and not math.isfinite(loss.item())
