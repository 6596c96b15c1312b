from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MAPE(Metric):
    """The mean of the absolute differences, each relative to the true value.

    mean |ŷ − y| / |y|. For positive targets of many sizes; a target near zero makes it huge.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   a fraction: 0.1 is ten percent.
    Source:  torchmetrics MeanAbsolutePercentageError.

    Example:
        mape
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    type: Literal["mape"] = "mape"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsolutePercentageError

        return MeanAbsolutePercentageError()
