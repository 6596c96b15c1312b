from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class LogCosh(Loss):
    """Log-cosh loss: the mean logarithm of the hyperbolic cosine of the errors.

    log cosh (ŷ − y): about half the square for small errors and |ŷ − y| − ln 2 for large ones. As huber, but smooth
    everywhere and without a threshold to choose.

    Shapes:  output (B, K), target (B, K).
    Units:   as mae for errors far above 1, as mse/2 far below.

    Example:
        log_cosh
    """

    type: Literal["log_cosh"] = "log_cosh"

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.log_cosh.module import LogCoshLoss

        return LogCoshLoss()
