from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MSE(Metric):
    """Mean squared error, over all samples and outputs.

    mean (ŷ − y)². Zero is perfect; predicting the mean gives the target's variance.

    Units:   the square of the target's.
    Source:  torchmetrics MeanSquaredError.

    Example:
        mse
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    type: Literal["mse"] = "mse"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanSquaredError

        return MeanSquaredError()
