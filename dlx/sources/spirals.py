from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Samples, Source
from dlx.sources._points import labeled_points


class Spirals(Source):
    """Spirals: interleaved spiral arms in the plane, one class each.

    An arm is r = t, φ = 2π (turns · t + k / n_classes) with t in 0.05 … 1. Hard for shallow networks: the classic test
    of what depth and non-linearity bring.

    Shapes:  two numbers, x1 and x2; the classes are "0", "1", ….
    Units:   noise is a standard deviation; the arms end at radius 1.
    Source:  Lang & Witbrock 1988, Learning to tell two spirals apart; deviations: any number of arms, noise.

    Example:
        {type: spirals, n_classes: 3, turns: 1.0}
    """

    type: Literal["spirals"] = "spirals"
    n_samples: int = Field(1000, ge=2)
    """How many points."""
    n_classes: int = Field(2, ge=2)
    """How many arms."""
    turns: float = Field(1.5, gt=0)
    """How often an arm winds around the center."""
    noise: float = Field(0.02, ge=0)
    """Gaussian noise on both coordinates."""
    seed: int = Field(0, ge=0)
    """Seed of the places along the arms and of the noise."""

    def memory_bytes(self) -> int:
        return self.n_samples * 16

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        labels = np.arange(self.n_samples) % self.n_classes
        radius = random.uniform(0.05, 1.0, self.n_samples)
        angle = 2 * np.pi * (self.turns * radius + labels / self.n_classes)
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points += self.noise * random.standard_normal(points.shape)
        return labeled_points(points, labels, tuple(str(k) for k in range(self.n_classes)))
