from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dlx.schedules import Schedule, TrainingLength


class Cosine(Schedule):
    """Cosine annealing: lowers the learning rate along half a cosine.

    factor = m + (1 − m) (1 + cos(π t / T)) / 2, from 1 at the start to min_lr_rate m at the end. A good default where
    the number of steps is known: it stays high for long and still ends small.

    Units:   min_lr_rate is a fraction of the optimizer's lr.
    Source:  Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts; torch.optim.lr_scheduler.CosineAnnealingLR,
             min_lr_rate as in transformers.

    Example:
        {type: cosine, warmup: 0.05, min_lr_rate: 0.01}
    """

    type: Literal["cosine"] = "cosine"
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """Factor at the end."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        progress = min(step / length.steps, 1.0)
        return self.min_lr_rate + (1 - self.min_lr_rate) * (1 + math.cos(math.pi * progress)) / 2

    def formula(self, length: TrainingLength) -> str:
        end, steps = self.min_lr_rate, self.after_warmup(length).steps
        return f"{end} + (1 - {end}) * (1 + math.cos(math.pi * min(step / {steps}, 1.0))) / 2"
