from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import PositiveDuration, Schedule, TrainingLength


class CosineRestarts(Schedule):
    """Cosine annealing with warm restarts (SGDR).

    factor = m + (1 − m) (1 + cos(π t / Tᵢ)) / 2, with t from the last restart and periods Tᵢ₊₁ = T_mult · Tᵢ. A restart
    leaves the current minimum, and each period ends in a network that can be used.

    Units:   T_0 is a fraction of all steps below 1, steps from 1 on, or epochs as "10 epochs".
    Source:  Loshchilov & Hutter 2017, arXiv:1608.03983; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts,
             min_lr_rate as in transformers.

    Example:
        {type: cosine_restarts, T_0: 10 epochs, T_mult: 2}
    """

    type: Literal["cosine_restarts"] = "cosine_restarts"
    T_0: PositiveDuration = 0.25
    """Length of the first period."""
    T_mult: float = Field(1.0, ge=1)
    """Factor on the length of each further period."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """Factor at the end of a period."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        period: float = max(1, length.count(self.T_0))
        rest: float = step
        while rest >= period:
            rest -= period
            period *= self.T_mult
        return self.min_lr_rate + (1 - self.min_lr_rate) * (1 + math.cos(math.pi * rest / period)) / 2
