from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import Horizon, PositiveDuration, Schedule


class Exponential(Schedule):
    """Lowers the learning rate by the same factor in every interval, smoothly.

    factor = γ^(t / step_size). Needs no number of steps in advance.

    Units:   step_size is a fraction of all steps below 1, steps from 1 on, or epochs as "1 epoch".
    Source:  torch.optim.lr_scheduler.ExponentialLR, which drops once an interval where this falls in between too.

    Example:
        {type: exponential, gamma: 0.95, step_size: 1 epoch}
    """

    type: Literal["exponential"] = "exponential"
    gamma: float = Field(0.95, gt=0, le=1)
    """Factor over one interval."""
    step_size: PositiveDuration = "1 epoch"
    """The interval."""

    def lr_factor(self, step: int, horizon: Horizon) -> float:
        return math.pow(self.gamma, step / max(1, horizon.count(self.step_size)))
