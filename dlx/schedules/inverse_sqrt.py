from __future__ import annotations

import math
from typing import Literal

from dlx.schedules import PositiveDuration, Schedule, TrainingLength


class InverseSqrt(Schedule):
    """Inverse square root decay of the learning rate.

    factor = √(s / (s + t)). Does not depend on the length of training, so that a run can be made longer. With s equal
    to the warmup it is the original transformer's schedule.

    Units:   timescale is a fraction of all steps below 1, steps from 1 on, or epochs as "1 epoch".
    Source:  Vaswani et al. 2017, arXiv:1706.03762; transformers' get_inverse_sqrt_schedule.

    Example:
        {type: inverse_sqrt, warmup: 4000, timescale: 4000}
    """

    type: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale: PositiveDuration = 1000.0
    """s: after so many steps the factor has fallen to 1/√2."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        timescale = max(1, length.count(self.timescale))
        return math.sqrt(timescale / (timescale + step))
