from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts
from dlx.losses import Loss

if TYPE_CHECKING:
    import torch
    from torch import nn


class Poisson(Loss):
    """The negative log-likelihood of counts whose rate the network predicts, as its logarithm.

    exp(z) − y z, without the term that depends on y alone, so that it may be negative. For counts: events a day, items
    sold. The prediction is exp(z), always positive.

    Shapes:  output (B, K) log-rates, target (B, K) counts ≥ 0, which are never standardized.
    Units:   nats.
    Source:  torch.nn.PoissonNLLLoss.

    Example:
        poisson
    """

    rescalable: ClassVar[bool] = False
    type: Literal["poisson"] = "poisson"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.PoissonNLLLoss(log_input=True)

    def predict(self, output_BK: torch.Tensor, facts: DataFacts) -> torch.Tensor:
        return output_BK.exp()
