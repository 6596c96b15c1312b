"""Changes of the weights right after every optimizer step, before anything reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch

AfterStep = Callable[[torch.optim.Optimizer, pl.LightningModule], None]


class AfterStepCallback(pl.Callback):
    """Calls a function after each optimizer's step, during training."""

    def __init__(self, after_step: AfterStep) -> None:
        self.after_step = after_step
        self.handles: list[Any] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        def hook(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            self.after_step(optimizer, pl_module)

        self.handles = [optimizer.register_step_post_hook(hook) for optimizer in trainer.optimizers]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for handle in self.handles:
            handle.remove()
