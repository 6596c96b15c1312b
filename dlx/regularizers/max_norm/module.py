"""A constraint that is restored right after every optimizer step, before anything reads the weights."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from dlx.regularizers._unit_norms_torch import unit_norms
from dlx.regularizers._weights import weights


class MaxNormConstraint(pl.Callback):
    """Applies the constraint right after each optimizer's step, during training."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.handles: list[Any] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        def restore(*_: Any) -> None:
            clip_weight_norms_(pl_module, self.limit)

        self.handles = [optimizer.register_step_post_hook(restore) for optimizer in trainer.optimizers]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def clip_weight_norms_(network: nn.Module, limit: float) -> None:
    """Rescale the weights of each unit in place to at most the limit."""
    for weight in weights(network):
        weight.mul_(limit / unit_norms(weight).clamp(min=limit))
