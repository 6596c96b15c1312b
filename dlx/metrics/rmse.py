from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class RMSE(Metric):
    """Root mean squared error, over all samples and outputs.

    √ mean (ŷ − y)². As mse, in the target's own units: predicting the mean gives its standard deviation.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   those of the target.
    Source:  torchmetrics MeanSquaredError.

    Example:
        rmse
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    type: Literal["rmse"] = "rmse"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanSquaredError

        return MeanSquaredError(squared=False)
