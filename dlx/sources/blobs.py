from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Samples, Source
from dlx.sources._points import labelled


class Blobs(Source):
    """Clouds of points, one round Gaussian for each class, around centres drawn at random.

    Easy where spread is small beside the distance of the centres: for linear models, and for clustering.

    Shapes:  `features` numbers, x1, x2, …; the classes are "0", "1", ….
    Units:   spread is the standard deviation of each cloud; centres lie in −10 … 10.
    Source:  sklearn.datasets.make_blobs.

    Example:
        {type: blobs, classes: 4, spread: 1.5}
    """

    type: Literal["blobs"] = "blobs"
    samples: int = Field(1000, ge=2)
    """How many points."""
    classes: int = Field(3, ge=2)
    """How many clouds."""
    features: int = Field(2, gt=0)
    """How many coordinates."""
    spread: float = Field(1.0, ge=0)
    """Standard deviation of each cloud."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the centres and the points."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        from sklearn.datasets import make_blobs

        points, labels = make_blobs(
            self.samples, self.features, centers=self.classes, cluster_std=self.spread, random_state=self.seed
        )
        return labelled(points, labels, tuple(str(k) for k in range(self.classes)))
