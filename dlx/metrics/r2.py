from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class R2(Metric):
    """Coefficient of determination R²: the fraction of the target's variance that is explained.

    1 − Σ (ŷ − y)² / Σ (y − ȳ)². 1 is perfect, 0 is predicting the mean, below 0 is worse than that. Needs two samples.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   none; the plain mean over outputs.
    Source:  torchmetrics R2Score.

    Example:
        r2
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    type: Literal["r2"] = "r2"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics import R2Score

        return R2Score()
