from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink

if TYPE_CHECKING:
    from torch import nn


class MSE(Loss):
    """Mean squared error, the L2 loss.

    mean (ŷ − y)². Its minimum is the conditional mean; a single outlier weighs by its square, where huber and mae are
    more robust. On classes the target is one-hot (as Adaline learns) and on labels 0/1: the output then estimates
    probabilities directly, and the prediction is the nearest ones, by projection onto the simplex (sparsemax) for
    classes and by clipping to [0, 1] for labels.

    Shapes:  output (B, K), target (B, K), or (B,) class indices.
    Units:   the square of the target's.
    Source:  torch.nn.MSELoss; Widrow & Hoff 1960 for classes; sparsemax: Martins & Astudillo 2016, arXiv:1602.02068.

    Example:
        mse
    """

    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {
        "regression": "identity",
        "classes": "sparsemax",
        "labels": "clip",
    }
    type: Literal["mse"] = "mse"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        from dlx.losses._targets_torch import OneHotTarget

        return OneHotTarget(nn.MSELoss()) if facts.kind == "classes" else nn.MSELoss()
