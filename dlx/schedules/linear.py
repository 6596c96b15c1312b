from __future__ import annotations

from typing import Literal

from pydantic import Field

from dlx.schedules import Schedule, TrainingLength


class Linear(Schedule):
    """Linear decay of the learning rate.

    factor = 1 − (1 − m) t / T, from 1 at the start to end_factor m at the end. The usual choice, with a warmup, for
    fine-tuning transformers.

    Units:   end_factor is a fraction of the optimizer's lr.
    Source:  Devlin et al. 2019, arXiv:1810.04805; torch.optim.lr_scheduler.LinearLR.

    Example:
        {type: linear, warmup: 0.1}
    """

    type: Literal["linear"] = "linear"
    end_factor: float = Field(0.0, ge=0, le=1)
    """Factor at the end."""

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return 1 - (1 - self.end_factor) * min(step / length.steps, 1.0)

    def formula(self, length: TrainingLength) -> str:
        return f"1 - (1 - {self.end_factor}) * min(step / {self.after_warmup(length).steps}, 1.0)"
