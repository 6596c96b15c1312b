from __future__ import annotations

from typing import Literal

from pydantic import Field

from dlx.schedules import PositiveDuration, Schedule, TrainingLength


class Step(Schedule):
    """Step decay: multiplies the learning rate by gamma at regular intervals.

    factor = γ^⌊t / step_size⌋. Easy to read in a learning curve: each drop shows as a step down in the loss.

    Units:   step_size is a fraction of all steps below 1, steps from 1 on, or epochs as "30 epochs".
    Source:  torch.optim.lr_scheduler.StepLR.

    Example:
        {type: step, step_size: 30 epochs, gamma: 0.1}
    """

    type: Literal["step"] = "step"
    step_size: PositiveDuration = 0.3
    """Interval between two drops."""
    gamma: float = Field(0.1, gt=0, le=1)
    """Multiplicative factor of each drop."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return self.gamma ** (step // max(1, length.count(self.step_size)))
