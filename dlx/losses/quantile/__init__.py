from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    import torch
    from torch import nn


class Quantile(Loss):
    """The pinball loss, whose minimum is a quantile of the target instead of its mean.

    max(q d, (q − 1) d) with d = y − ŷ, averaged over the quantiles: a prediction that is too low costs q, one that is
    too high 1 − q. Two quantiles make an interval; the one nearest 0.5 is the prediction that metrics see.

    Shapes:  output (B, K · quantiles), the quantiles of a target side by side; target (B, K).
    Units:   the target's.
    Source:  Koenker & Bassett 1978, Econometrica 46.

    Example:
        {type: quantile, quantiles: [0.1, 0.5, 0.9]}
    """

    primary: ClassVar[str] = "quantiles"
    type: Literal["quantile"] = "quantile"
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=lambda: [0.5], min_length=1)
    """Fractions of targets that should lie below each prediction."""

    def outputs(self, facts: DataFacts) -> int:
        return super().outputs(facts) * len(self.quantiles)

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.quantile.module import PinballLoss

        return PinballLoss(self.quantiles)

    def predict(self, output_BK: torch.Tensor, facts: DataFacts) -> torch.Tensor:
        middle = min(range(len(self.quantiles)), key=lambda i: abs(self.quantiles[i] - 0.5))
        return output_BK[:, middle :: len(self.quantiles)]

    def interval(self, output_BK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        count = len(self.quantiles)
        if count < 2:
            return None
        low, high = (self.quantiles.index(end) for end in (min(self.quantiles), max(self.quantiles)))
        return output_BK[:, low::count], output_BK[:, high::count]
