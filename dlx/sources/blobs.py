from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Samples, Source
from dlx.sources._points import labeled_points


class Blobs(Source):
    """Gaussian blobs: points of one isotropic Gaussian for each class, around random centers.

    Easy where cluster_std is small beside the distance of the centers: for linear models, and for clustering.

    Shapes:  `n_features` numbers, x1, x2, …; the classes are "0", "1", ….
    Units:   cluster_std is the standard deviation of each cloud; centers lie in −10 … 10.
    Source:  sklearn.datasets.make_blobs.

    Example:
        {type: blobs, centers: 4, cluster_std: 1.5}
    """

    type: Literal["blobs"] = "blobs"
    n_samples: int = Field(1000, ge=2)
    """How many points."""
    centers: int = Field(3, ge=2)
    """How many clouds."""
    n_features: int = Field(2, gt=0)
    """How many coordinates."""
    cluster_std: float = Field(1.0, ge=0)
    """Standard deviation of each cloud."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the centers and the points."""

    def memory_bytes(self) -> int:
        return self.n_samples * self.n_features * 8 + self.centers * self.n_features * 8

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        from sklearn.datasets import make_blobs

        points, labels = make_blobs(
            self.n_samples, self.n_features, centers=self.centers, cluster_std=self.cluster_std, random_state=self.seed
        )
        return labeled_points(points, labels, tuple(str(k) for k in range(self.centers)))
