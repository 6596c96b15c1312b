"""Three ways to bound a gradient, each a function and the callback that calls it before every optimizer step."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import nn

from dlx.regularizers._unit_norms_torch import unit_norms
from dlx.regularizers._unscale_torch import unscale_gradients

MIN_UNIT_NORM = 1e-3  # of a unit's weights in the paper, so that zero-initialized units can move


class GradientNormClipping(pl.Callback):
    """Scales all gradients together to at most a norm."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        nn.utils.clip_grad_norm_(unscale_gradients(trainer, optimizer), self.limit)


class GradientValueClipping(pl.Callback):
    """Clamps every element of the gradients to an interval around zero."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        nn.utils.clip_grad_value_(unscale_gradients(trainer, optimizer), self.limit)


class AdaptiveGradientClipping(pl.Callback):
    """Scales each unit's gradient to at most a fraction of the norm of its weights."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        adaptive_clip_grad_(unscale_gradients(trainer, optimizer), self.ratio)


@torch.no_grad()
def adaptive_clip_grad_(parameters: Sequence[nn.Parameter], ratio: float) -> None:
    """Scale each unit's gradient in place where it is longer than `ratio` times the unit's weights."""
    for parameter in parameters:
        assert parameter.grad is not None
        largest = unit_norms(parameter).clamp(min=MIN_UNIT_NORM) * ratio
        norms = unit_norms(parameter.grad)
        parameter.grad.mul_(torch.where(norms > largest, largest / norms.clamp(min=1e-6), 1.0))
