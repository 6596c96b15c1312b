from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class MMD(GenerativeMetric):
    """Maximum mean discrepancy, squared, between generated samples and those of the data.

    E k(x, x') + E k(y, y') − 2 E k(x, y) with k = exp(−‖x − y‖² / 2σ²): zero if, and only if, both come from the same
    distribution. The estimate is unbiased, so that it may fall a little below zero.

    Units:   from 0 to 2; bandwidth is a distance in the units that the network sees.
    Source:  Gretton et al. 2012, JMLR 13, lemma 6; the median of distances as σ as in its section 8.

    Example:
        {mmd: {bandwidth: 0.5}}
    """

    higher_is_better: ClassVar[bool] = False
    primary: ClassVar[str] = "bandwidth"
    aspect: ClassVar[Aspect] = "quality"
    type: Literal["mmd"] = "mmd"
    bandwidth: float | None = Field(None, gt=0)
    """σ of the kernel; null takes the median distance between two samples of the data."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._generative_torch import MaximumMeanDiscrepancy

        return MaximumMeanDiscrepancy(self.max_samples, self.bandwidth)
