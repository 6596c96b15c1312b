from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Samples, Source
from dlx.sources._points import labeled_points


class Moons(Source):
    """Two moons: interleaving half circles in the plane.

    No straight line separates them, a small network does: for looking at decision boundaries.

    Shapes:  two numbers, x1 and x2; the class is "upper" or "lower".
    Units:   noise is a standard deviation; the half circles have radius 1.
    Source:  sklearn.datasets.make_moons.

    Example:
        {type: moons, n_samples: 500, noise: 0.2}
    """

    type: Literal["moons"] = "moons"
    n_samples: int = Field(1000, ge=2)
    """How many points."""
    noise: float = Field(0.1, ge=0)
    """Gaussian noise on both coordinates."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the order and the noise."""

    def memory_bytes(self) -> int:
        return self.n_samples * 16

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        from sklearn.datasets import make_moons

        points, labels = make_moons(self.n_samples, noise=self.noise, random_state=self.seed)
        return labeled_points(points, labels, ("upper", "lower"))
