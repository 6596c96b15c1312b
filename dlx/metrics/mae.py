from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MAE(Metric):
    """The mean of the absolute differences, over all samples and outputs.

    mean |ŷ − y|. Zero is perfect; outliers weigh in proportion, not by their square.

    Units:   the target's.
    Source:  torchmetrics MeanAbsoluteError.

    Example:
        mae
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    type: Literal["mae"] = "mae"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsoluteError

        return MeanAbsoluteError()
