from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MAE(Metric):
    """Mean absolute error, over all samples and outputs.

    mean |ŷ − y|. Zero is perfect; outliers weigh in proportion, not by their square.

    Units:   those of the target.
    Source:  torchmetrics MeanAbsoluteError.

    Example:
        mae
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    type: Literal["mae"] = "mae"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsoluteError

        return MeanAbsoluteError()
