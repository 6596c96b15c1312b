from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import Schedule, TrainingLength


class Polynomial(Schedule):
    """Polynomial decay of the learning rate.

    factor = m + (1 − m) (1 − t / T)^power, from 1 to end_factor m. A power of 0.9 is usual in segmentation; 1 is
    linear.

    Units:   end_factor is a fraction of the optimizer's lr.
    Source:  Chen et al. 2017, arXiv:1606.00915; torch.optim.lr_scheduler.PolynomialLR.

    Example:
        {type: polynomial, power: 0.9}
    """

    type: Literal["polynomial"] = "polynomial"
    power: float = Field(2.0, gt=0)
    """Exponent of the fraction of training that remains."""
    end_factor: float = Field(0.0, ge=0, le=1)
    """Factor at the end."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        left = 1 - min(step / length.steps, 1.0)
        return self.end_factor + (1 - self.end_factor) * math.pow(left, self.power)
