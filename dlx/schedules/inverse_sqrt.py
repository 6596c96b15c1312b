from __future__ import annotations

import math
from typing import Literal

from dlx.schedules import Horizon, PositiveDuration, Schedule


class InverseSqrt(Schedule):
    """Lowers the learning rate as one over the root of the step.

    factor = √(s / (s + t)). Does not depend on how long training is, so that a run can be made longer. With s equal to
    the warm-up it is the original transformer's schedule.

    Units:   timescale is a fraction of all steps below 1, steps from 1 on, or epochs as "1 epoch".
    Source:  Vaswani et al. 2017, arXiv:1706.03762.

    Example:
        {type: inverse_sqrt, warmup: 4000, timescale: 4000}
    """

    type: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale: PositiveDuration = 1000.0
    """s, after as long as which the factor has fallen to 1/√2."""

    def lr_factor(self, step: int, horizon: Horizon) -> float:
        timescale = max(1, horizon.count(self.timescale))
        return math.sqrt(timescale / (timescale + step))
