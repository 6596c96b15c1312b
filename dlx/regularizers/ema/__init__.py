from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class EMA(Regularizer):
    """Exponential moving average (EMA) of the weights: evaluated and saved in place of the weights, which train on.

    a ← d a + (1 − d) w after every optimizer step, buffers such as running statistics too; with use_warmup the decay is
    min(d, (1 + t) / (10 + t)), so that the first weights are soon forgotten. Smooths out the noise of the last steps
    without lowering the lr.

    Units:   decay per step; the average looks back about 1 / (1 − decay) steps.
    Source:  Polyak & Juditsky 1992, doi:10.1137/0330046; warmup as in Tan & Le 2019, arXiv:1905.11946; Lightning's
             WeightAveraging.

    Example:
        {ema: 0.999}
    """

    averages_weights: ClassVar[bool] = True
    primary: ClassVar[str] = "decay"
    type: Literal["ema"] = "ema"
    decay: float = Field(0.999, gt=0, lt=1)
    """Decay d of the average."""
    use_warmup: bool = True
    """Whether the decay starts small."""

    def callback(self) -> pl.Callback:
        from dlx.regularizers.ema.module import EMAWeightAveraging

        return EMAWeightAveraging(self.decay, self.use_warmup)
