"""The mean of the weights at the ends of the last epochs."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from dlx.regularizers._averaging_torch import WeightAveragingCallback, lerp_weights_


class StochasticWeightAveraging(WeightAveragingCallback):
    """Adds the weights to the mean at the end of each epoch from the start on, and holds the learning rate."""

    def __init__(self, start: float, lr: float | None) -> None:
        super().__init__(multi_avg_fn=_add_to_mean)
        self.start, self.lr = start, lr
        self.is_tail = False

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether an epoch of the averaged phase has ended."""
        return epoch_idx is not None and self.is_tail

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        steps = getattr(pl_module, "planned_steps", None) or trainer.estimated_stepping_batches
        self.is_tail = trainer.global_step >= self.start * steps
        if self.is_tail and self.lr is not None:
            for optimizer in trainer.optimizers:
                set_lr(optimizer, self.lr)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the largest lr of an optimizer's groups, and the others in proportion to their initial ones."""
    first = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, first, strict=True):
        group["lr"] = lr * rate / max(first)


@torch.no_grad()
def _add_to_mean(means: Any, currents: Any, count: Tensor | int) -> None:
    lerp_weights_(means, currents, 1 / (int(count) + 1))
