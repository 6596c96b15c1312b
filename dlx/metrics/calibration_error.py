from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class CalibrationError(Metric):
    """Calibration error: the distance between confidence and accuracy.

    Answers are sorted into bins of equal width by the probability of the most probable class; in each bin the mean
    probability is compared with the accuracy, weighted by the bin's samples. 0.1 means that answers given with 80 %
    are right in 70 or 90 % of cases.

    Shapes:  probabilities (B, K) and class indices (B,).
    Units:   a fraction.
    Source:  Guo et al. 2017, arXiv:1706.04599; torchmetrics MulticlassCalibrationError.

    Example:
        {type: calibration_error, n_bins: 15}
    """

    higher_is_better: ClassVar[bool] = False
    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["calibration_error"] = "calibration_error"
    n_bins: int = Field(15, gt=0)
    """Number of bins."""
    norm: Literal["l1", "l2", "max"] = "l1"
    """How the distances of the bins are combined: `l1`, their weighted mean (the expected calibration error, ECE);
    `l2`, their root mean square; `max`, the greatest (the maximum calibration error, MCE)."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassCalibrationError

        return MulticlassCalibrationError(len(facts.classes), n_bins=self.n_bins, norm=self.norm)
