from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class MAE(Loss):
    """Mean absolute error, the L1 loss.

    mean |ŷ − y|. Its minimum is the conditional median, so it is robust to outliers; its gradient does not shrink near
    the minimum, so it needs a decaying lr.

    Shapes:  output (B, K), target (B, K).
    Units:   those of the target.
    Source:  torch.nn.L1Loss.

    Example:
        mae
    """

    type: Literal["mae"] = "mae"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.L1Loss()
