from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class Diversity(GenerativeMetric):
    """Diversity of generated samples: their mean pairwise distance, relative to that of the data.

    The mean distance between two generated samples over the mean distance between two of the data: near 1 if they vary
    as much, near 0 if the generator has collapsed to one (mode collapse).

    Units:   a ratio; distances are Euclidean, between the values that the network sees.

    Example:
        diversity
    """

    aspect: ClassVar[Aspect] = "coverage"
    type: Literal["diversity"] = "diversity"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._generative_torch import DistanceRatio

        return DistanceRatio(self.max_samples)
