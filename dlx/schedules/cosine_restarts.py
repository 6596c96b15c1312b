from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import Horizon, Period, Schedule


class CosineRestarts(Schedule):
    """Lowers the learning rate along half a cosine, again and again.

    factor = m + (1 − m) (1 + cos(π t / Tᵢ)) / 2, with t from the last restart and periods Tᵢ₊₁ = multiplier · Tᵢ. Each
    restart leaves a minimum, and each period ends in a network that can be used.

    Units:   period is a fraction of all steps below 1, steps from 1 on, or epochs as "10 epochs".
    Source:  Loshchilov & Hutter 2017, arXiv:1608.03983; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.

    Example:
        {type: cosine_restarts, period: 10 epochs, multiplier: 2}
    """

    type: Literal["cosine_restarts"] = "cosine_restarts"
    period: Period = 0.25
    """Length of the first period."""
    multiplier: float = Field(1.0, ge=1)
    """How many times longer each period is than the one before."""
    minimum: float = Field(0.0, ge=0, le=1)
    """The factor at the end of a period."""

    def factor(self, step: int, horizon: Horizon) -> float:
        period: float = max(1, horizon.count(self.period))
        rest: float = step
        while rest >= period:
            rest -= period
            period *= self.multiplier
        return self.minimum + (1 - self.minimum) * (1 + math.cos(math.pi * rest / period)) / 2
