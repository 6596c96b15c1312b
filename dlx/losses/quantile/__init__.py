from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.rules import CheckContext, Problem, Rule, Severity

if TYPE_CHECKING:
    import torch
    from torch import nn

MEDIAN = 0.5


class NoMedian(Rule):
    """The median is not among the quantiles of a loss.

    Metrics such as mae compare a single value with the target: the median where it is learned, else the value
    interpolated between the quantiles around it, or the quantile nearest to it.

    Why:      such a value is not what the loss was trained for, and an extreme quantile is far from the target.
    Instead:  add 0.5 to the quantiles; the others stay an interval.
    Wrong:
        task: {type: regression, loss: {quantile: [0.1, 0.9]}}
        data: {source: {sklearn: diabetes}}
    Right:
        task: {type: regression, loss: {quantile: [0.1, 0.5, 0.9]}}
        data: {source: {sklearn: diabetes}}
    """

    code: ClassVar[str] = "DLX506"
    severity: ClassVar[Severity] = "warning"


class Quantile(Loss):
    """Quantile regression: the pinball loss, whose minimum is a quantile of the target instead of its mean.

    max(q d, (q − 1) d) with d = y − ŷ, averaged over the quantiles: a prediction that is too low costs q, one that is
    too high 1 − q. A prediction holds every quantile, sorted so that they never cross; the lowest and the highest are
    a prediction interval. Metrics of a single value see the median; where 0.5 is not among the quantiles, the value
    interpolated between the two around it, or the quantile nearest to it.

    Shapes:  output (B, K · quantiles), the quantiles of a target side by side; target (B, K).
    Units:   those of the target.
    Source:  Koenker & Bassett 1978, Econometrica 46; sorting: Chernozhukov et al. 2010, doi:10.3982/ECTA7880.

    Example:
        {type: quantile, quantiles: [0.1, 0.5, 0.9]}
    """

    primary: ClassVar[str] = "quantiles"
    type: Literal["quantile"] = "quantile"
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=lambda: [MEDIAN], min_length=1)
    """Quantile levels: fractions of targets that should lie below each prediction."""

    @field_validator("quantiles")
    @classmethod
    def _check_levels_differ(cls, levels: list[float]) -> list[float]:
        if len(set(levels)) < len(levels):
            raise ValueError("each quantile can be given only once")
        return levels

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        low, high = self._around_median()
        if (low, high) != (MEDIAN, MEDIAN):
            value = f"the {low:g} quantile" if low == high else f"the value between the {low:g} and {high:g} quantiles"
            yield NoMedian.at(
                f"{MEDIAN} is not among the quantiles: metrics of a single value see {value}", "quantiles"
            )

    def out_features(self, facts: DataFacts) -> int:
        return super().out_features(facts) * len(self.quantiles)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.quantile.module import PinballLoss

        return PinballLoss(self.quantiles)

    def predict(self, output_BK: torch.Tensor, facts: DataFacts) -> torch.Tensor:
        ranks = [sorted(self.quantiles).index(level) for level in self.quantiles]
        sorted_BKQ: torch.Tensor = self._by_level(output_BK).sort(-1).values
        return sorted_BKQ[..., ranks].flatten(1)

    def point(self, prediction_BK: Any) -> Any:
        low, high = self._around_median()
        low_BK, high_BK = (self._by_level(prediction_BK)[..., self.quantiles.index(level)] for level in (low, high))
        return low_BK if low == high else low_BK + (high_BK - low_BK) * ((MEDIAN - low) / (high - low))

    def interval(self, prediction_BK: Any) -> tuple[Any, Any] | None:
        if len(self.quantiles) < 2:
            return None
        low, high = (self.quantiles.index(end) for end in (min(self.quantiles), max(self.quantiles)))
        prediction_BKQ = self._by_level(prediction_BK)
        return prediction_BKQ[..., low], prediction_BKQ[..., high]

    def prediction_names(self, targets: Sequence[str]) -> list[str]:
        return [f"{target} q{level:g}" for target in targets for level in self.quantiles]

    def _by_level(self, values_BK: Any) -> Any:
        return values_BK.reshape(values_BK.shape[0], -1, len(self.quantiles))

    def _around_median(self) -> tuple[float, float]:
        """Return the levels nearest to the median on both sides, or the nearest one twice where all are on one side."""
        below, above = ([q for q in self.quantiles if side * (q - MEDIAN) >= 0] for side in (-1, 1))
        low, high = max(below, default=None), min(above, default=None)
        nearest = min(self.quantiles, key=lambda q: abs(q - MEDIAN))
        return (nearest, nearest) if low is None or high is None else (low, high)
