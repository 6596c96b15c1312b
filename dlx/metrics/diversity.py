from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class Diversity(MadeMetric):
    """How much samples that were made differ from one another, compared with those of the data.

    The mean distance between two that were made over the mean distance between two of the data: near 1 if they are as
    varied, near 0 if the generator has collapsed to one.

    Units:   a ratio; distances are Euclidean, between the values that the network sees.

    Example:
        diversity
    """

    tells: ClassVar[Tells] = "coverage"
    type: Literal["diversity"] = "diversity"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._made_torch import Spread

        return Spread(self.samples)
