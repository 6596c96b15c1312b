from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class GenerativeRecall(GenerativeMetric):
    """Recall of generated samples: the fraction of the data that lies on the generated ones' manifold (diversity).

    A sample of the data lies on it if, for one generated sample, it is no farther away than that one's k-th nearest
    neighbor among the generated ones.

    Units:   from 0 to 1; distances are Euclidean, between the values that the network sees.
    Source:  Kynkäänniemi et al. 2019, arXiv:1904.06991; there on the features of a network.

    Example:
        {generative_recall: {n_neighbors: 3}}
    """

    aspect: ClassVar[Aspect] = "coverage"
    type: Literal["generative_recall"] = "generative_recall"
    n_neighbors: int = Field(3, gt=0)
    """k: the neighbor whose distance is the radius of a sample's ball."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._generative_torch import ManifoldOverlap

        return ManifoldOverlap(self.max_samples, self.n_neighbors, of_generated=False)
