"""An exponential moving average of everything in a module's state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlx.regularizers._averaging_torch import WeightAveragingCallback


class EMAWeightAveraging(WeightAveragingCallback):
    """Updates the exponential moving average after every optimizer step."""

    def __init__(self, decay: float, warmup: bool) -> None:
        def move(averages: Any, currents: Any, count: Any) -> None:
            taken = int(count)
            lerp_weights_(averages, currents, 1 - (min(decay, (1 + taken) / (10 + taken)) if warmup else decay))

        super().__init__(multi_avg_fn=move)


@torch.no_grad()
def lerp_weights_(averages: list[Tensor], currents: list[Tensor], share: float) -> None:
    """Move averages toward the current values in place, all of one dtype; counts and other integers are copied."""
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, currents, share)
    else:
        torch._foreach_copy_(averages, currents)
