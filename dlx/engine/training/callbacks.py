"""Lightning callbacks of the engine besides checkpoints, figures and progress."""

from __future__ import annotations

from time import monotonic as clock
from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist
from torch import Tensor


class ScaleLearningRate(pl.Callback):
    """Multiplies the learning rate of every group, and the base rates of schedules, once when training begins."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.factor == 1:
            return
        for group in (g for optimizer in trainer.optimizers for g in optimizer.param_groups):
            for rate in ("lr", "initial_lr"):
                if rate in group:
                    group[rate] *= self.factor
        for config in trainer.lr_scheduler_configs:
            rates: list[Any] = getattr(config.scheduler, "base_lrs", [])
            rates[:] = [rate * self.factor for rate in rates]


class History(pl.Callback):
    """Records every logged point and the learning rates, for learning curves, and the seconds of training."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.learning_rates: dict[str, list[tuple[int, float]]] = {}
        self.seconds = 0.0
        self._began = 0.0

    def state_dict(self) -> dict[str, Any]:
        seconds = self.seconds + clock() - self._began
        return {"points": self.points, "learning_rates": self.learning_rates, "seconds": seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.points, self.seconds = state_dict["points"], state_dict["seconds"]
        self.learning_rates = state_dict.get("learning_rates", {})

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._began = clock()
        if not self.learning_rates:  # a resumed run has them
            self._add_learning_rates(trainer, module)

    def _add_learning_rates(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Record the learning rate of each optimizer's first parameter group."""
        roles = list(module.networks)  # type: ignore[arg-type]
        for role, optimizer in zip(roles, trainer.optimizers, strict=True):
            rates = self.learning_rates.setdefault("lr" if len(roles) == 1 else f"lr/{role}", [])
            rates.append((trainer.global_step, float(optimizer.param_groups[0]["lr"])))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._add_learning_rates(trainer, module)  # where every run comes by, in chunks of whatever length
        for name, value in trainer.callback_metrics.items():
            if "/" in name and isinstance(value, Tensor):
                self.points.setdefault(name, []).append((trainer.global_step, float(value)))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seconds += clock() - self._began


class BroadcastBuffers(pl.Callback):
    """Broadcasts the buffers of rank 0, which are saved, to every process before a network is evaluated."""

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        for buffer in module.buffers():
            dist.broadcast(buffer, src=0)
