from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import PositiveDuration, Schedule, TrainingLength


class Exponential(Schedule):
    """Exponential decay of the learning rate.

    factor = γ^(t / step_size), smoothly. Does not need to know the number of steps in advance.

    Units:   step_size is a fraction of all steps below 1, steps from 1 on, or epochs as "1 epoch".
    Source:  torch.optim.lr_scheduler.ExponentialLR, which changes once per interval where this decays in between too.

    Example:
        {type: exponential, gamma: 0.95, step_size: 1 epoch}
    """

    type: Literal["exponential"] = "exponential"
    gamma: float = Field(0.95, gt=0, le=1)
    """Multiplicative factor over one step_size."""
    step_size: PositiveDuration = "1 epoch"
    """Interval over which the lr is multiplied by gamma."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return math.pow(self.gamma, step / max(1, length.count(self.step_size)))
