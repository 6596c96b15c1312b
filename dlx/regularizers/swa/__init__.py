from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class SWA(Regularizer):
    """Stochastic weight averaging (SWA): averages the weights at the ends of the last epochs.

    From `swa_start` on the lr is constant, and a ← a + (w − a) / (n + 1) at the end of each epoch; the average is
    evaluated and saved. Ends in the middle of a flat region, at whose edge descent would stop.

    Units:   swa_start is a fraction of all steps.
    Source:  Izmailov et al. 2018, arXiv:1803.05407; Lightning's WeightAveraging. Deviation: running statistics of batch
             normalization are averaged too, not measured anew over the data.

    Example:
        {swa: {swa_start: 0.75, swa_lr: 0.05}}
    """

    averages_weights: ClassVar[bool] = True
    primary: ClassVar[str] = "swa_start"
    type: Literal["swa"] = "swa"
    swa_start: float = Field(0.75, ge=0, lt=1)
    """When averaging begins."""
    swa_lr: float | None = Field(None, gt=0)
    """Learning rate from then on; null leaves it to the schedule. Parameter groups with a lower lr keep their ratio."""

    def callback(self) -> pl.Callback:
        from dlx.regularizers.swa.module import StochasticWeightAveraging

        return StochasticWeightAveraging(self.swa_start, self.swa_lr)
