from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import Schedule, TrainingLength


class OneCycle(Schedule):
    """One-cycle policy: raises the learning rate to its maximum, then lowers it far below the initial one.

    Two half cosines: 1 / div_factor → 1 in the first `pct_start` of training, then 1 → 1 / (div_factor ·
    final_div_factor). Allows an lr several times larger than a constant one could be, and so fewer epochs.

    Units:   pct_start is a fraction of training; the optimizer's lr is the maximum.
    Source:  Smith & Topin 2018, arXiv:1708.07120; torch.optim.lr_scheduler.OneCycleLR, without cycling the momentum.

    Example:
        {type: one_cycle, pct_start: 0.3}
    """

    type: Literal["one_cycle"] = "one_cycle"
    pct_start: float = Field(0.3, ge=0, lt=1)
    """Fraction of training in which the learning rate increases."""
    div_factor: float = Field(25.0, ge=1)
    """Maximum over initial learning rate."""
    final_div_factor: float = Field(1e4, ge=1)
    """Initial over final learning rate."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        first = 1 / self.div_factor
        peak = max(self.pct_start * length.steps - 1, 0.0)
        if step < peak:
            return _cosine_interpolation(first, 1.0, step / peak)
        return _cosine_interpolation(
            1.0, first / self.final_div_factor, (step - peak) / max(1.0, length.steps - 1 - peak)
        )


def _cosine_interpolation(start: float, end: float, progress: float) -> float:
    """Return the value on a half cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
