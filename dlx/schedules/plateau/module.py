"""torch's plateau scheduler, with a warm-up."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau


class WarmupReduceLROnPlateau(ReduceLROnPlateau):
    """Raises the learning rate with every optimizer step of the warmup, and only then looks at the metric."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        warmup: int,
        factor: float,
        patience: int,
        threshold: float,
        cooldown: int,
        min_lr_rate: float,
        mode: Literal["min", "max"],
    ) -> None:
        self.warmup, self.taken = warmup, 0
        lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self.base_lrs = list(lrs)  # what a rollback scales
        super().__init__(
            optimizer,
            mode=mode,
            factor=factor,
            patience=patience,
            threshold=threshold,
            cooldown=cooldown,
            min_lr=[lr * min_lr_rate for lr in lrs],
        )
        self._warm()
        optimizer.register_step_post_hook(self._after_step)

    def step(self, metrics: Any, epoch: Any = None) -> None:  # type: ignore[override]
        """Take the value of the metric into account, unless the warmup is still on."""
        if self.taken >= self.warmup:
            super().step(metrics)

    def _after_step(self, *_: Any) -> None:
        if self.taken < self.warmup:
            self.taken += 1
            self._warm()

    def _warm(self) -> None:
        share = (self.taken + 1) / (self.warmup + 1)
        for group, rate in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = rate * share
