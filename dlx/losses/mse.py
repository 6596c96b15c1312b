from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class MSE(Loss):
    """The mean of the squared differences.

    mean (ŷ − y)². Its minimum is the conditional mean; a single outlier weighs by its square, where huber and mae are
    calmer. On classes the target is one-hot (as Adaline learns), on labels 0/1.

    Shapes:  output (B, K), target (B, K), or (B,) class indices.
    Units:   the square of the target's.
    Source:  torch.nn.MSELoss; Widrow & Hoff 1960 for classes.

    Example:
        mse
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("regression", "classes", "labels")
    type: Literal["mse"] = "mse"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        from dlx.losses._classes_torch import OneHotTarget

        return OneHotTarget(nn.MSELoss()) if facts.kind == "classes" else nn.MSELoss()
