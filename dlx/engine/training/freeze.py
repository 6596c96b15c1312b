"""Freezing and unfreezing: layers that are not trained, always or up to a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
from torch import nn

from dlx.adapters import Adapter
from dlx.engine.distributed.collectives import is_distributed
from dlx.recipe.schema.transfer import FreezeEntry, first_training_step


class FreezeCallback(pl.Callback):
    """Freezes layers, always or up to a step: no gradient, and normalizations keep their statistics.

    What is frozen follows from the step alone, so that a resumed run finds it as it was. Several processes agreed at
    the start on which gradients they average: among them waiting layers have gradients, which are dropped.
    """

    every_step = True
    """The task's module calls it in every step, not only in the last of a chunk."""

    def __init__(self, frozen: Sequence[FreezeEntry], steps: int, adapter: Adapter | None = None) -> None:
        self.frozen, self.steps, self.adapter = frozen, steps, adapter
        self._waiting: dict[float, tuple[list[nn.Parameter], list[nn.Module]]] = {}

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Find the layers before optimizers are made, which do not get those that are never trained."""
        self._waiting.clear()
        networks: Any = module.networks
        for network in networks.values():
            step = self._first_steps([name for name, _ in network.named_parameters()])
            for name, parameter in network.named_parameters():
                self._frozen_until(step(name))[0].append(parameter)
                if step(name) == math.inf:
                    parameter.requires_grad_(False)
            for name, part in network.named_modules():
                self._frozen_until(step(name))[1].append(part)
        self._waiting.pop(0.0, None)

    def _first_steps(self, weights: Sequence[str]) -> Callable[[str], float]:
        """Return what says from which step a weight or module learns; never where an adapter leaves it as it is."""
        step = first_training_step(self.frozen, weights, self.steps)
        adapter = self.adapter
        return step if adapter is None else lambda name: step(name) if adapter.is_trained(name) else math.inf

    def _frozen_until(self, step: float) -> tuple[list[nn.Parameter], list[nn.Module]]:
        return self._waiting.setdefault(step, ([], []))

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Freeze what is to be frozen in this step, and nothing else."""
        for until, (parameters, modules) in self._waiting.items():
            learns = trainer.global_step >= until
            for parameter in parameters:
                parameter.requires_grad_(learns or (is_distributed() and until < math.inf))
            for part in modules:
                part.training = learns

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        """Drop the gradients of waiting layers, where they have any."""
        waiting = [parameters for until, (parameters, _) in self._waiting.items() if trainer.global_step < until]
        for parameter in (p for parameters in waiting for p in parameters) if is_distributed() else ():
            parameter.grad = None
