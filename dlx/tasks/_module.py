"""The LightningModule that every task builds on: optimizers and schedules by role, penalties, and the loss curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.optimizers import groups
from dlx.tasks import Learning, for_role

Batch = dict[str, Tensor]


class TaskModule(pl.LightningModule):
    """Holds the networks of a task, each under its role, and everything about learning that tasks share."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.facts = facts
        self.learning = learning
        self._loss_sum: Tensor | None = None
        self._loss_count = 0

    def input_of(self, batch: Batch) -> Any:
        """Return what a network receives from a batch: one tensor, or a record."""
        if len(self.facts.inputs) == 1:
            return batch[self.facts.inputs[0]]
        return {name: batch[name] for name in self.facts.inputs}

    def penalty(self, role: str) -> Tensor | float:
        """Return what regularizers add to the loss of a network."""
        terms = [r.penalty(self.networks[role]) for r in self.learning.regularizers.values()]
        return sum((t for t in terms if t is not None), start=0.0)

    def note_loss(self, loss: Tensor) -> None:
        """Add a step's loss to the training curve; a point is logged every few steps without waiting for the device."""
        self._loss_sum = loss.detach() if self._loss_sum is None else self._loss_sum + loss.detach()
        self._loss_count += 1
        if (self.trainer.global_step + 1) % self.log_every == 0:
            self.flush_loss()

    @property
    def log_every(self) -> int:
        """Steps between points of the loss curve."""
        return int(self.trainer.log_every_n_steps)  # type: ignore[attr-defined]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.is_last_batch:
            self.flush_loss()

    def flush_loss(self) -> None:
        """Log the mean loss since the last point."""
        if self._loss_sum is not None:
            self.log("train/loss", self._loss_sum / self._loss_count, logger=True)
            self._loss_sum, self._loss_count = None, 0

    def configure_optimizers(self) -> Any:
        made = [self._optimizer(role) for role in self.networks]
        return made[0] if len(made) == 1 else made

    def _optimizer(self, role: str) -> dict[str, Any]:
        spec = for_role(self.learning.optimizers, role)
        schedule = for_role(self.learning.schedules, role)
        optimizer = spec.build(groups(spec, self.networks[role]))
        scheduler = schedule.build(optimizer, self.learning.horizon)
        on_validation = schedule.per == "validation"
        config = {
            "scheduler": scheduler,
            "interval": "epoch" if on_validation else "step",
            "monitor": self.learning.monitor,
        }
        return {"optimizer": optimizer, "lr_scheduler": config}


def quantities(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Return plain numbers, all fetched from the device at once."""
    if not values:
        return {}
    stacked = torch.stack([v.detach().float().reshape(()) for v in values.values()]).tolist()
    return dict(zip(values, stacked, strict=True))
