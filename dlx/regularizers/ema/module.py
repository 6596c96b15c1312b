"""An exponential moving average of everything in a module's state."""

from __future__ import annotations

from typing import Any

from dlx.regularizers._averaging_torch import WeightAveragingCallback, lerp_weights_


class EMAWeightAveraging(WeightAveragingCallback):
    """Updates the exponential moving average after every optimizer step."""

    def __init__(self, decay: float, warmup: bool) -> None:
        def move(averages: Any, currents: Any, count: Any) -> None:
            taken = int(count)
            lerp_weights_(averages, currents, 1 - (min(decay, (1 + taken) / (10 + taken)) if warmup else decay))

        super().__init__(multi_avg_fn=move)
