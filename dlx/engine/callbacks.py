"""What the engine hangs into Lightning's loop besides the display."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from dlx.engine.checkpoint import CARRIED
from dlx.errors import RunError


class Carry(pl.Callback):
    """Puts what dlx needs to rebuild the experiment into every checkpoint."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.text = json.dumps(content)

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[CARRIED] = self.text


class FiniteLoss(pl.Callback):
    """Ends a run whose training loss is no longer a number, before such weights are kept.

    The loss curve's points are checked, and the metrics of every validation, so that no step waits for the device.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        loss = trainer.callback_metrics.get("train/loss")
        if loss is not None and not math.isfinite(float(loss)):
            first = next((n for n, p in module.named_parameters() if not bool(p.detach().isfinite().all())), None)
            where = f"; the first weights that are not finite are {first}" if first else ""
            raise RunError(
                f"the training loss became {float(loss)} in epoch {trainer.current_epoch + 1}{where}. "
                "Lower optimizer.lr, or add regularize.grad_clip"
            )


class History(pl.Callback):
    """Keeps every logged point for the learning curves, and how long epochs take."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.seconds = 0.0
        self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        for name, value in trainer.callback_metrics.items():
            if "/" in name and isinstance(value, Tensor):
                self.points.setdefault(name, []).append((trainer.global_step, float(value)))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seconds = time.monotonic() - self._began
