"""Schedules: how the learning rate changes over training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dlx.component import Component

if TYPE_CHECKING:
    import torch


Epochs = Annotated[str, Field(pattern=r"^\d+(\.\d+)? epochs?$")]
Duration = Annotated[float, Field(ge=0)] | Epochs
"""An amount of training: a fraction of all steps below 1, a number of steps from 1 on, or "3 epochs"."""
PositiveDuration = Annotated[float, Field(gt=0)] | Epochs
"""An amount of training that is not nothing."""


@dataclass(frozen=True)
class TrainingLength:
    """How long training is: optimizer steps in all, and in an epoch."""

    steps: int
    steps_per_epoch: float

    def every(self, steps: int) -> TrainingLength:
        """Return the length of what takes one step in so many."""
        return TrainingLength(max(1, self.steps // steps), self.steps_per_epoch / steps)

    def count(self, amount: float | str) -> int:
        """Return an amount of training in steps: 0.1 is a fraction of all steps, 500 is steps, "3 epochs" is epochs."""
        if isinstance(amount, str):
            return round(float(amount.split()[0]) * self.steps_per_epoch)
        return round(amount * self.steps) if amount < 1 else round(amount)


class Schedule(Component):
    """A learning-rate schedule: a factor on the lr as a function of the step, after a linear warmup."""

    family = "schedules"
    interval: ClassVar[str] = "step"
    """When the scheduler steps: "step" is after every optimizer step, "validation" after every validation."""

    warmup: Duration = 0.0
    """Linear learning-rate warmup: a fraction of all steps below 1, a number of steps from 1 on, or "3 epochs"."""

    @property
    def is_constant(self) -> bool:
        """Whether the learning rate never changes, so that no step needs to update it."""
        return False

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        """Return the factor on the lr at a step; step and length are counted from the end of the warm-up."""
        raise NotImplementedError

    def formula(self, length: TrainingLength) -> str | None:
        """Return `lr_factor` as an expression of `step`, counted from the end of the warm-up; None if there is none.

        length  of all training, the warm-up included
        """
        return None

    def build(self, optimizer: torch.optim.Optimizer, length: TrainingLength) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the torch scheduler: the warm-up, then `lr_factor`."""
        from torch.optim.lr_scheduler import LambdaLR

        return LambdaLR(optimizer, lambda step: self.lr_lambda(step, length))

    def lr_lambda(self, step: int, length: TrainingLength) -> float:
        """Return the factor on the lr at a step of training, warmup included."""
        warmup = length.count(self.warmup)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return self.lr_factor(step - warmup, self.after_warmup(length))

    def after_warmup(self, length: TrainingLength) -> TrainingLength:
        """Return the length of what comes after the warm-up."""
        return TrainingLength(max(1, length.steps - length.count(self.warmup)), length.steps_per_epoch)
