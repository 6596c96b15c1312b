from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class CalibrationError(Metric):
    """How far confidence is from accuracy: 0.1 means that an answer given with 80 % is right in 70 or 90 % of cases.

    Answers are sorted into bins of equal width by the probability of the most probable class; in each bin the mean
    probability is compared with the fraction that is right, weighted by the bin's samples.

    Shapes:  probabilities (B, K) and indices (B,).
    Units:   a fraction.
    Source:  Guo et al. 2017, arXiv:1706.04599; torchmetrics MulticlassCalibrationError.

    Example:
        {type: calibration_error, bins: 15}
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["calibration_error"] = "calibration_error"
    bins: int = Field(15, gt=0)
    """Number of bins."""
    norm: Literal["mean", "rms", "max"] = "mean"
    """What is made of the bins' distances: mean (the expected calibration error), root mean square, or maximum."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassCalibrationError

        norms: dict[str, Literal["l1", "l2", "max"]] = {"mean": "l1", "rms": "l2", "max": "max"}
        return MulticlassCalibrationError(len(facts.classes), n_bins=self.bins, norm=norms[self.norm])
