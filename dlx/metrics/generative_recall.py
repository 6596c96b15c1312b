from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class GenerativeRecall(MadeMetric):
    """The share of the data which lie among samples that were made: how much of the data's variety there is.

    A sample of the data is reached if, for one that was made, it is no farther away than that one's k-th nearest
    neighbour among those that were made.

    Units:   from 0 to 1; distances are Euclidean, between the values that the network sees.
    Source:  Kynkäänniemi et al. 2019, arXiv:1904.06991; there on the features of a network.

    Example:
        {generative_recall: {neighbours: 3}}
    """

    tells: ClassVar[Tells] = "coverage"
    type: Literal["generative_recall"] = "generative_recall"
    neighbours: int = Field(3, gt=0)
    """k: which neighbour's distance is the radius of a sample."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._made_torch import Neighbourhood

        return Neighbourhood(self.samples, self.neighbours, of_made=False)
