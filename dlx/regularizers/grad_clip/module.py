"""Gradient clipping before every optimizer step, and the way to clip that torch does not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytorch_lightning as pl
import torch
from torch import nn

from dlx.regularizers._unit_norms_torch import unit_norms
from dlx.regularizers._unscale_torch import unscale_gradients

MIN_UNIT_NORM = 1e-3  # of a unit's weights in the paper, so that zero-initialized units can move


class GradientClipping(pl.Callback):
    """Bounds the gradient before every optimizer step, by a function of the parameters that changes it in place."""

    def __init__(self, clip: Callable[[Sequence[nn.Parameter]], object]) -> None:
        self.clip = clip

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.clip(unscale_gradients(trainer, optimizer))


@torch.no_grad()
def adaptive_clip_grad_(parameters: Sequence[nn.Parameter], ratio: float) -> None:
    """Scale each unit's gradient in place where it is longer than `ratio` times the unit's weights."""
    for parameter in parameters:
        assert parameter.grad is not None
        largest = unit_norms(parameter).clamp(min=MIN_UNIT_NORM) * ratio
        norms = unit_norms(parameter.grad)
        parameter.grad.mul_(torch.where(norms > largest, largest / norms.clamp(min=1e-6), 1.0))
