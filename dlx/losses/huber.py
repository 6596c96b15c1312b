from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class Huber(Loss):
    """Huber loss: half the squared error where it is small, and linear in the error where it is large.

    d²/2 for |d| ≤ δ, else δ (|d| − δ/2), with d = ŷ − y. As robust to outliers as mae, as smooth at the minimum as
    mse.

    Shapes:  output (B, K), target (B, K).
    Units:   delta is in units of the target as the network learns it, which are standard deviations where the task
             standardizes.
    Source:  Huber 1964, Annals of Mathematical Statistics 35; torch.nn.HuberLoss.

    Example:
        {type: huber, delta: 1.0}
    """

    primary: ClassVar[str] = "delta"
    type: Literal["huber"] = "huber"
    delta: float = Field(1.0, gt=0)
    """Absolute error from which the loss is linear."""

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.HuberLoss(delta=self.delta)
