from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    from torch import nn


class NegativeCounts(Rule):
    """The Poisson loss meets a target with negative values.

    It is the likelihood of counts, and its prediction is always positive.

    Why:      a negative count has no probability; the loss of it falls without end as the prediction falls to zero.
    Instead:  use mse, mae or huber, or check the target: a count is never below zero.
    Wrong:
        task: {type: regression, loss: poisson}
        data: {source: {type: sine}}
    Right:
        task: {type: regression, loss: huber}
        data: {source: {type: sine}}
    """

    code: ClassVar[str] = "DLX455"


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

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        target = context.facts.fields.get(context.facts.target or "")
        low = min(target.stats.low, default=0.0) if target is not None and target.stats is not None else 0.0
        if low < 0:
            yield NegativeCounts.at(f"poisson is for counts, which are 0 or more, but the target goes down to {low:g}")

    def build(self, facts: DataFacts) -> nn.Module:
        from torch import nn

        return nn.PoissonNLLLoss(log_input=True)
