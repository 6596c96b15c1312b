from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class FrechetDistance(MadeMetric):
    """How far apart two gaussians are that have the means and covariances of samples that were made and of the data.

    ‖μ − μ′‖² + tr(Σ + Σ′ − 2 (Σ Σ′)^½), of what the network of another run, such as a classifier of the same data,
    makes of samples before it answers. It sees blur, artefacts and missing kinds of samples alike. It is the measure
    known as FID but for the network, which is not an Inception: figures compare only under one and the same `run`.

    Units:   squared units of the features; it has a bias that falls with `samples`, which must be the same to compare.
             Samples are handed over in the units of the data.
    Raises:  UsageError if there is no such run, or it takes other data.
    Source:  Heusel et al. 2017, arXiv:1706.08500; the distance: Dowson & Landau 1982.

    Example:
        {type: frechet_distance, samples: 4000}
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    tells: ClassVar[Tells] = "quality"
    primary: ClassVar[str] = "run"
    type: Literal["frechet_distance"] = "frechet_distance"
    run: str | None = Field(None, min_length=1)
    """Whose features: a run by its name, MLflow id, directory or checkpoint; null takes the values themselves."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.frechet_distance.module import FeatureDistance

        return FeatureDistance(self.samples, self.run)
