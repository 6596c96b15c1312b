"""Noise on gradients, drawn anew for every step from a seed that is a function of the step."""

from __future__ import annotations

import math

import pytorch_lightning as pl
import torch

from dlx.regularizers._unscale_torch import unscale_gradients

SEED_MULTIPLIER = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio, odd: it spreads seeds over all bits


class GradientNoiseCallback(pl.Callback):
    """Adds annealed Gaussian noise before every optimizer step."""

    def __init__(self, eta: float, gamma: float, seed: int) -> None:
        self.eta, self.gamma, self.seed = eta, gamma, seed

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        step = trainer.global_step
        deviation = math.sqrt(self.eta / math.pow(1 + step, self.gamma))
        generators: dict[torch.device, torch.Generator] = {}
        for parameter in unscale_gradients(trainer, optimizer):
            gradient = parameter.grad
            assert gradient is not None
            if gradient.device not in generators:
                generators[gradient.device] = torch.Generator(gradient.device).manual_seed(
                    _seed_of_step(self.seed, step)
                )
            noise = torch.empty_like(gradient).normal_(generator=generators[gradient.device])
            gradient.add_(noise, alpha=deviation)


def _seed_of_step(seed: int, step: int) -> int:
    """Return a seed for every (seed, step) whose lower 32 bits, all that torch uses on a CPU, depend on both."""
    return (seed * SEED_MULTIPLIER + step) % 2**63
