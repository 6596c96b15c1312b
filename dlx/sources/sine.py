from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source


class Sine(Source):
    """A sine wave with noise, as a regression: y = sin(2π · frequency · x) + noise, x uniform in −1 … 1.

    For universal approximation: higher frequencies ask for more units.

    Shapes:  one number, x; the target y is a number.
    Units:   noise is a standard deviation; frequency is the number of waves on a length of 1.
    Source:  Cybenko 1989, Approximation by superpositions of a sigmoidal function.

    Example:
        {type: sine, frequency: 2.0, noise: 0.1}
    """

    type: Literal["sine"] = "sine"
    n_samples: int = Field(1000, ge=2)
    """How many points."""
    frequency: float = Field(1.0, gt=0)
    """Waves on a length of 1."""
    noise: float = Field(0.1, ge=0)
    """Gaussian noise on y."""
    seed: int = Field(0, ge=0)
    """Seed of the places and of the noise."""

    def memory_bytes(self) -> int:
        return self.n_samples * 16

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        x = random.uniform(-1.0, 1.0, self.n_samples)
        y = np.sin(2 * np.pi * self.frequency * x) + self.noise * random.standard_normal(self.n_samples)
        return Samples({"x": Column(x, "", "numeric"), "y": Column(y, "", "numeric")}, ("x",), "y")
