from __future__ import annotations

from typing import Literal

from pydantic import Field

from dlx.schedules import Duration, Schedule, TrainingLength


class MultiStep(Schedule):
    """Multi-step decay: multiplies the learning rate by gamma at each milestone.

    factor = γ^(milestones passed). The schedule of many published image classifiers.

    Units:   a milestone is a fraction of all steps below 1, steps from 1 on, or epochs as "30 epochs".
    Source:  He et al. 2016, arXiv:1512.03385; torch.optim.lr_scheduler.MultiStepLR.

    Example:
        {type: multi_step, milestones: [0.5, 0.75], gamma: 0.1}
    """

    type: Literal["multi_step"] = "multi_step"
    milestones: list[Duration] = Field([0.5, 0.75], min_length=1)
    """When the learning rate drops."""
    gamma: float = Field(0.1, gt=0, le=1)
    """Multiplicative factor of each drop."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return self.gamma ** sum(step >= length.count(milestone) for milestone in self.milestones)
