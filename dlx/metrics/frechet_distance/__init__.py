from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class FrechetDistance(GenerativeMetric):
    """Fréchet distance between generated samples and those of the data, of the features of another run's network.

    ‖μ − μ′‖² + tr(Σ + Σ′ − 2 (Σ Σ′)^½): the distance of two Gaussians with the means and covariances of the features,
    which are what the network of `run`, such as a classifier of the same data, computes before its last layer. It
    is sensitive to blur, artifacts and missing kinds of samples alike. It is the FID but for the network, which is not
    an Inception: figures compare only under one and the same `run`.

    Units:   squared units of the features; it has a bias that falls with `max_samples`, which must be the same to
             compare. Samples are handed over in the units of the data.
    Raises:  UsageError if there is no such run, or it takes other data.
    Source:  Heusel et al. 2017, arXiv:1706.08500; the distance: Dowson & Landau 1982.

    Example:
        {type: frechet_distance, max_samples: 4000}
    """

    higher_is_better: ClassVar[bool] = False
    aspect: ClassVar[Aspect] = "quality"
    primary: ClassVar[str] = "run"
    type: Literal["frechet_distance"] = "frechet_distance"
    unbuilt_fields: ClassVar[Mapping[str, str]] = {"run": "its feature extractor is attached to the metric"}
    run: str | None = Field(None, min_length=1)
    """Feature extractor: a run by its name, MLflow id, directory or checkpoint; null compares the values themselves."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.frechet_distance.module import FrechetFeatureDistance

        return FrechetFeatureDistance(self.max_samples, self.run)
