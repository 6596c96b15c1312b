"""TaskModule: the LightningModule that every task builds on: training step, optimizers by role, metrics, checkpoints.

Lightning's loop gives a *chunk* of batches to `training_step`: as many optimizer steps as nothing outside needs to see.
What Lightning does for every batch costs more than a small network's step; so it does it for every chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.layer_metrics import compute_layer_metrics, reset_layer_metrics
from dlx.nn.protocols import AuxiliaryLoss, Batch
from dlx.optimizers import parameter_groups
from dlx.tasks import MASK, Learning, Task, for_role
from dlx.tasks._base.gradient_accumulation import LossFn, has_batch_statistics
from dlx.tasks._base.loss_curve import LossCurve
from dlx.tasks._base.masks import mask_names
from dlx.tasks._base.optimizer_step import OptimizerStep, is_non_finite, optimizer_step


class TaskModule(pl.LightningModule):
    """The networks of a task, each under its role, and everything about training that tasks share.

    A task overrides `loss`, and `train_batch` where its networks are not trained by one gradient.
    """

    figure_samples: ClassVar[int] = 256
    """Of how many samples figures are drawn while training goes on, at most."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Task) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.networks = nn.ModuleDict(networks)
        self.facts, self.learning, self.task = facts, learning, task
        self.curve = LossCurve()
        self.before_step_callbacks: list[Any] = []
        self._optimizer_steps: dict[tuple[str, ...], OptimizerStep] = {}
        self._every_step_callbacks: list[Any] = []
        self._auxiliary_losses = [m for m in self.networks.modules() if isinstance(m, AuxiliaryLoss)]

    # -- the training step --------------------------------------------------------------------------------------------

    def training_step(self, chunk: Iterable[Batch], batch_idx: int) -> None:
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        for batch in chunk:
            for callback in self._every_step_callbacks:
                callback.on_train_batch_start(self.trainer, self, batch, batch_idx)
            self.train_batch(
                self.trainer.precision_plugin.convert_input(batch) if self.dtype == torch.float64 else batch
            )
            progress.increment_by(1)
            for callback in self._every_step_callbacks:
                callback.on_train_batch_end(self.trainer, self, None, batch, batch_idx)
            if progress.completed % self.learning.log_every_n_steps == 0:
                self.log_loss_curve()
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = progress.completed

    def train_batch(self, batch: Batch) -> None:
        """Take one optimizer step with a batch: the networks share the gradient of `loss`."""
        batch = self.prepare_step(batch)
        loss = self.take_step(batch, self.loss, *self.networks)
        self.log_train_loss(loss)
        if not is_non_finite(loss):
            self.after_step(batch)

    def take_step(self, batch: Batch, loss_fn: LossFn, *roles: str) -> Tensor:
        """Take the optimizer step of the networks of these roles; return the mean loss, detached."""

        def with_layers(micro_batch: Batch) -> Tensor:
            return loss_fn(micro_batch) + self.auxiliary_loss()

        return self._optimizer_steps[roles](batch, with_layers, lambda: self.penalty(batch, *roles))

    def prepare_step(self, batch: Batch) -> Batch:
        """Return a batch with all random numbers of its loss drawn, and the denominators of means over anything else
        than samples: so that the loss is a function of the batch, in however many micro-batches it is computed.
        """
        return batch

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, without what regularizers and layers add."""
        raise NotImplementedError

    def after_step(self, batch: Batch) -> None:
        """Update what follows the weights, after a step with this batch."""

    def auxiliary_loss(self) -> Tensor | float:
        """Return what layers add to the loss of the batch that they saw last."""
        terms = [layer.auxiliary_loss for layer in self._auxiliary_losses]
        return sum((t for t in terms if t is not None), start=0.0)

    def penalty(self, batch: Batch, *roles: str) -> Tensor | float:
        """Return what is added to the loss once in a step of these networks with a batch, such as by regularizers."""
        regularizers = self.learning.regularizers.values()
        terms = [r.penalty(self.networks[role]) for role in roles for r in regularizers]
        return sum((t for t in terms if t is not None), start=0.0)

    # -- networks -----------------------------------------------------------------------------------------------------

    def input_of(self, batch: Batch) -> Any:
        """Return a network's input from a batch: one tensor, or a record."""
        if len(self.facts.inputs) == 1:
            return batch[self.facts.inputs[0]]
        return {name: batch[name] for name in self.facts.inputs}

    def context_of(self, batch: Batch) -> dict[str, Any]:
        """Return a network's context from a batch: attention masks, which say what steps of sequences are real."""
        return {name: batch[field + MASK] for name, field in mask_names(self.facts).items() if field + MASK in batch}

    def network_output(self, role: str, batch: Batch) -> Any:
        """Return the output of a role's network for a batch."""
        return apply(self.networks[role], self.input_of(batch), self.context_of(batch))

    def figure_inputs(self, batch: Batch) -> Any:
        """Return what figures are drawn of, collected from a few samples as in a test; None if there is nothing."""
        return None

    # -- optimizers ---------------------------------------------------------------------------------------------------

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.learning.length.steps

    @property
    def splits_batches(self) -> bool:
        """Whether a batch is computed in parts: in micro-batches, or by several processes."""
        return self.learning.micro_batches > 1 or self.trainer.world_size > 1

    @property
    def min_micro_batch(self) -> int:
        """Samples of a micro-batch at least: 2 where samples are compared, or have statistics in common."""
        return 2 if self.task.compares_samples or has_batch_statistics(self.networks) else 1

    def configure_optimizers(self) -> Any:
        return [self._configure_optimizer(role) for role in self.networks]

    def _configure_optimizer(self, role: str) -> dict[str, Any]:
        spec = for_role(self.learning.optimizers, role)
        optimizer = spec.build(parameter_groups(spec, self.networks[role]))
        length = self.task.role_length(role, self.learning.length)
        scheduler = for_role(self.learning.schedules, role).build(optimizer, length)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}

    def on_train_start(self) -> None:
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        self._every_step_callbacks = [c for c in callbacks if getattr(c, "every_step", False)]
        self.before_step_callbacks = [
            c for c in callbacks if is_overridden("on_before_optimizer_step", c, parent=pl.Callback)
        ]
        sharing = [tuple(self.networks)] if self.task.shared_gradient else [(role,) for role in self.networks]
        self._optimizer_steps = {roles: self._optimizer_step(roles) for roles in sharing}
        if self.curve.last is not None:
            self.trainer.callback_metrics["train/loss"] = self.curve.last

    def _optimizer_step(self, roles: tuple[str, ...]) -> OptimizerStep:
        optimizers = dict(zip(self.networks, self.trainer.optimizers, strict=True))
        schedules = {role: for_role(self.learning.schedules, role) for role in roles}
        stepped = [
            self._schedulers()[role] for role, s in schedules.items() if s.interval == "step" and not s.is_constant
        ]
        by_closure = any(for_role(self.learning.optimizers, role).needs_closure for role in roles)
        return optimizer_step(self, [optimizers[role] for role in roles], stepped, by_closure, self.min_micro_batch)

    def _schedulers(self) -> dict[str, Any]:
        schedulers = [config.scheduler for config in self.trainer.lr_scheduler_configs]
        return dict(zip(self.networks, schedulers, strict=True))

    # -- metrics ------------------------------------------------------------------------------------------------------

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        """Return the scalar metrics of the split that was just evaluated."""
        raise NotImplementedError

    def on_validation_start(self) -> None:
        reset_layer_metrics(self.networks)

    def on_test_start(self) -> None:
        reset_layer_metrics(self.networks)

    def on_validation_epoch_end(self) -> None:
        """Report the metrics, also to schedules that look at one."""
        metrics = {**self.compute_metrics("val"), **self._layer_metrics("val")}
        if self.trainer.state.fn != "fit":
            self.log_dict(metrics)
            return
        self._report(metrics)
        for role, scheduler in self._schedulers().items():
            if for_role(self.learning.schedules, role).interval == "validation":
                scheduler.step(metrics[self.learning.monitor])

    def on_test_epoch_end(self) -> None:
        self.log_dict({**self.compute_metrics("test"), **self._layer_metrics("test")})

    def _layer_metrics(self, split: str) -> dict[str, Tensor]:
        found = compute_layer_metrics(
            self.networks, lambda counts: self.trainer.strategy.reduce(counts, reduce_op="sum")
        )
        return {f"{split}/{name}": value for name, value in found.items()}

    def _report(self, metrics: dict[str, Tensor]) -> None:
        """Give metrics to callbacks and loggers. Lightning's `log` costs more than a small network's step."""
        self.trainer.callback_metrics.update(metrics)
        if self.trainer.loggers:
            values = {name: float(value) for name, value in metrics.items()}
            for logger in self.trainer.loggers:
                logger.log_metrics(values, self.trainer.global_step)

    # -- the loss curve -----------------------------------------------------------------------------------------------

    @property
    def num_skipped_batches(self) -> int:
        """Batches that were left out because their loss was not finite."""
        return self.curve.skipped

    def log_train_loss(self, loss: Tensor) -> None:
        """Add a step's loss to the loss curve. Raises: DivergedError if several in a row were not finite."""
        self.curve.add(loss, self.trainer.global_step)

    def log_loss_curve(self) -> None:
        """Report the mean loss since the last point. Raises: DivergedError if it is not finite."""
        mean = self.curve.take_mean()
        if mean is None:
            return
        mean = self.trainer.strategy.reduce(mean, reduce_op="mean")
        self.curve.set_point(mean, self.trainer.global_step)
        self._report({"train/loss": mean})

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.is_last_batch:
            self.log_loss_curve()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["loss_curve"] = self.curve.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "loss_curve" in checkpoint:
            self.curve.load_state_dict(checkpoint["loss_curve"])
