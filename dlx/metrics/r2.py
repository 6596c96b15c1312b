from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts
from dlx.metrics._regression import RegressionMetric, target_columns, target_stats

if TYPE_CHECKING:
    import torchmetrics


class R2(RegressionMetric):
    """Coefficient of determination R²: the fraction of the target's variance that is explained.

    1 − Σ (ŷ − y)² / Σ (y − ȳ)². 1 is perfect, 0 is predicting the mean, below 0 is worse than that. It is not defined
    on a single sample or where all targets are the same; such targets are left out of the mean over targets.

    Shapes:  values (B, K) and (B, K), or (B,) and (B,).
    Units:   none; sums are of float64, of the target's distance from its mean over the train split.
    Source:  scikit-learn's r2_score.

    Example:
        r2
    """

    higher_is_better: ClassVar[bool] = True
    type: Literal["r2"] = "r2"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._regression_torch import R2

        elements = facts.fields["target"].elements
        columns = elements if self.column(facts) is None else elements // len(target_columns(facts))
        return self.by_target(R2(columns), facts, shift=target_stats(facts).mean)
