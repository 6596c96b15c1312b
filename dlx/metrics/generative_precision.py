from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class GenerativePrecision(MadeMetric):
    """The share of samples that were made which lie among those of the data: how believable they are.

    A sample lies among the data if, for one of them, it is no farther away than that one's k-th nearest neighbour.

    Units:   from 0 to 1; distances are Euclidean, between the values that the network sees.
    Source:  Kynkäänniemi et al. 2019, arXiv:1904.06991; there on the features of a network.

    Example:
        {generative_precision: {neighbours: 3}}
    """

    tells: ClassVar[Tells] = "quality"
    type: Literal["generative_precision"] = "generative_precision"
    neighbours: int = Field(3, gt=0)
    """k: which neighbour's distance is the radius of a sample."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._made_torch import Neighbourhood

        return Neighbourhood(self.samples, self.neighbours, of_made=True)
