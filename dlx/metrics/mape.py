from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MAPE(Metric):
    """Mean absolute percentage error: the mean of the absolute errors, each relative to the true value.

    mean |ŷ − y| / |y|. For positive targets of many magnitudes; a target near zero makes it huge.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   a fraction: 0.1 is 10 %.
    Source:  torchmetrics MeanAbsolutePercentageError.

    Example:
        mape
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    higher_is_better: ClassVar[bool] = False
    type: Literal["mape"] = "mape"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import MeanAbsolutePercentageError

        return MeanAbsolutePercentageError()
