from __future__ import annotations

from typing import Literal

from dlx.schedules import Schedule, TrainingLength


class Constant(Schedule):
    """Constant learning rate.

    factor = 1. For short experiments and for optimizers whose steps shrink by themselves.

    Source:  torch.optim.lr_scheduler.ConstantLR with a factor of 1.

    Example:
        {type: constant, warmup: 100}
    """

    type: Literal["constant"] = "constant"

    @property
    def is_constant(self) -> bool:
        return self.warmup == 0

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return 1.0

    def formula(self, length: TrainingLength) -> str:
        return "1.0"
