from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink

if TYPE_CHECKING:
    from torch import nn


class Poisson(Loss):
    """Poisson negative log-likelihood of counts, whose rate the network predicts as its logarithm.

    exp(z) − y z, without the term that depends on y alone, so that it may be negative. For counts: events a day, items
    sold. The prediction is exp(z), always positive.

    Shapes:  log-rates (B, K), target (B, K) counts ≥ 0, which are never standardized.
    Units:   nats.
    Source:  torch.nn.PoissonNLLLoss.

    Example:
        poisson
    """

    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"regression": "exp"}
    allows_standardization: ClassVar[bool] = False
    type: Literal["poisson"] = "poisson"

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.PoissonNLLLoss(log_input=True)
