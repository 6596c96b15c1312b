from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class MAE(Loss):
    """The mean of the absolute differences.

    mean |ŷ − y|. Its minimum is the conditional median, so that outliers hardly move it; its gradient does not shrink
    near the minimum, so that it wants a decaying lr.

    Shapes:  output (B, K), target (B, K).
    Units:   the target's.
    Source:  torch.nn.L1Loss.

    Example:
        mae
    """

    type: Literal["mae"] = "mae"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.L1Loss()
