"""The LightningModule that every task builds on: several steps a burst, optimizers by role, and the loss curve.

Lightning's loop gives a *burst* of batches to `training_step`: as many steps as nothing needs to look in between. What
Lightning does for every batch costs more than a small network's step; so it does it for every burst.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dlx.errors import DivergedError
from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.layer_metrics import begin, counted
from dlx.nn.protocols import AuxiliaryLoss
from dlx.optimizers import parameter_groups
from dlx.tasks import MASK, Learning, for_role
from dlx.tasks._base.masks import masks
from dlx.tasks._base.optimizer_step import Batch, Objective, Update, is_lost

STATE = ("_loss_sum", "_loss_count", "_last_point", "skipped")  # what the loss curve needs to go on
MOST_SKIPPED = 3  # batches one after the other whose loss is not finite, before training is called diverged


class TaskModule(pl.LightningModule):
    """Holds the networks of a task, each under its role, and everything about learning that tasks share.

    A task overrides `learn`, which takes one step for every batch, and calls `update` in it once for every network
    that moves.
    """

    figure_samples: ClassVar[int] = 256
    """Of how many samples pictures are drawn while training goes on, at most."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.networks = nn.ModuleDict(networks)
        self.facts = facts
        self.learning = learning
        self.updates: dict[str, Update] = {}
        self.skipped = 0
        self._skipped_in_a_row = 0
        self._loss_sum: Tensor | None = None
        self._loss_count = 0
        self._last_point: Tensor | None = None
        self._every_step: list[Any] = []
        self._auxiliary = [m for m in self.networks.modules() if isinstance(m, AuxiliaryLoss)]

    def learn(self, batch: Batch) -> None:
        """Take one step with a batch."""
        raise NotImplementedError

    def update(self, role: str, batch: Batch, objective: Objective) -> Tensor:
        """Move the network of a role down the gradient of `objective`; return the loss, detached."""

        def whole(portion: Batch) -> Tensor:
            return objective(portion) + self.penalty(role)

        return self.updates[role](batch, whole)

    def input_of(self, batch: Batch) -> Any:
        """Return what a network receives from a batch: one tensor, or a record."""
        if len(self.facts.inputs) == 1:
            return batch[self.facts.inputs[0]]
        return {name: batch[name] for name in self.facts.inputs}

    def context_of(self, batch: Batch) -> dict[str, Any]:
        """Return what a network may read beside its input: which steps of its sequences are real."""
        return {name: batch[field + MASK] for name, field in masks(self.facts).items() if field + MASK in batch}

    def run(self, role: str, batch: Batch) -> Any:
        """Return what the network of a role makes of a batch."""
        return apply(self.networks[role], self.input_of(batch), self.context_of(batch))

    def figure_inputs(self, batch: Batch) -> Any:
        """Return what pictures are drawn of, gathered from a few samples as a test does; None if there is nothing."""
        return None

    def penalty(self, role: str) -> Tensor | float:
        """Return what regularizers, and layers with a loss of their own, add to the loss of a network."""
        terms = [r.penalty(self.networks[role]) for r in self.learning.regularizers.values()]
        terms += [m.auxiliary_loss for m in self._auxiliary]
        return sum((t for t in terms if t is not None), start=0.0)

    # -- what Lightning calls -----------------------------------------------------------------------------------------

    @property
    def planned_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.learning.length.steps

    def on_train_start(self) -> None:
        for role, (optimizer, scheduler) in zip(self.networks, self._made(), strict=True):
            spec = for_role(self.learning.schedules, role)
            moving = scheduler if spec.interval == "step" and not spec.is_constant else None
            closure = for_role(self.learning.optimizers, role).needs_closure
            self.updates[role] = Update(self, optimizer, moving, self.learning.micro_batches, closure)
        if self._last_point is not None:
            self.trainer.callback_metrics["train/loss"] = self._last_point
        self._every_step = [c for c in self.trainer.callbacks if getattr(c, "every_step", False)]  # type: ignore[attr-defined]

    def training_step(self, burst: Iterable[Batch], batch_idx: int) -> None:
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        for batch in burst:
            for callback in self._every_step:
                callback.on_train_batch_start(self.trainer, self, batch, batch_idx)
            self.learn(self.trainer.precision_plugin.convert_input(batch) if self.dtype == torch.float64 else batch)
            progress.increment_by(1)
            for callback in self._every_step:
                callback.on_train_batch_end(self.trainer, self, None, batch, batch_idx)
            if progress.completed % self.learning.log_every_n_steps == 0:
                self.flush_loss()
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = progress.completed

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.is_last_batch:
            self.flush_loss()

    def on_validation_start(self) -> None:
        begin(self.networks)

    def on_test_start(self) -> None:
        begin(self.networks)

    def on_validation_epoch_end(self) -> None:
        """Log what was measured, and tell it to schedules that look at a metric."""
        measured = {**self.measured("val"), **self._counted("val")}
        if self.trainer.state.fn != "fit":
            self.log_dict(measured)
            return
        self._report(measured)
        for role, (_, scheduler) in zip(self.networks, self._made(), strict=True):
            if for_role(self.learning.schedules, role).interval == "validation":
                scheduler.step(measured[self.learning.monitor])

    def on_test_epoch_end(self) -> None:
        self.log_dict({**self.measured("test"), **self._counted("test")})

    def _counted(self, split: str) -> dict[str, Tensor]:
        """Return what layers measured by themselves."""
        found = counted(self.networks, lambda tally: self.trainer.strategy.reduce(tally, reduce_op="sum"))
        return {f"{split}/{name}": value for name, value in found.items()}

    def measured(self, split: str) -> dict[str, Tensor]:
        """Return the scalar metrics of the split that was just evaluated."""
        raise NotImplementedError

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = {name: getattr(self, name) for name in STATE}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint.get("task", {})
        for name in (n for n in STATE if n in state):
            setattr(self, name, state[name])

    # -- the loss curve -----------------------------------------------------------------------------------------------

    def note_loss(self, loss: Tensor) -> None:
        """Add a step's loss to the curve, without waiting for a device; leave out one that is not finite.

        Raises: DivergedError if several in a row were not.
        """
        if is_lost(loss):
            self.skipped += 1
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= MOST_SKIPPED:
                raise DivergedError(float(loss), self.trainer.global_step)
            return
        self._skipped_in_a_row = 0
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss
        self._loss_count += 1

    def flush_loss(self) -> None:
        """Log the mean loss since the last point. Raises: DivergedError if it is not finite."""
        if self._loss_sum is None:
            return
        mean = self.trainer.strategy.reduce(self._loss_sum / self._loss_count, reduce_op="mean")
        self._loss_sum, self._loss_count = None, 0
        value = float(mean)
        if not math.isfinite(value):
            raise DivergedError(value, self.trainer.global_step)
        self._last_point = mean
        self._report({"train/loss": mean})

    def _report(self, metrics: dict[str, Tensor]) -> None:
        """Give metrics to callbacks and loggers. Lightning's `log` costs more than a small network's step."""
        self.trainer.callback_metrics.update(metrics)
        if self.trainer.loggers:
            values = {name: float(value) for name, value in metrics.items()}
            for logger in self.trainer.loggers:
                logger.log_metrics(values, self.trainer.global_step)

    # -- optimizers ---------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        return [self._optimizer(role) for role in self.networks]

    def _optimizer(self, role: str) -> dict[str, Any]:
        spec = for_role(self.learning.optimizers, role)
        optimizer = spec.build(parameter_groups(spec, self.networks[role]))
        scheduler = for_role(self.learning.schedules, role).build(optimizer, self.learning.length)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}

    def _made(self) -> list[tuple[Any, Any]]:
        """Return the optimizer and the schedule of every role."""
        schedulers = [config.scheduler for config in self.trainer.lr_scheduler_configs]
        return list(zip(self.trainer.optimizers, schedulers, strict=True))
