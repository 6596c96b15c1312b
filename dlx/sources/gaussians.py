from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import DataError
from dlx.sources import Samples, Source
from dlx.sources._points import labeled_points

if TYPE_CHECKING:
    import numpy as np


class Gaussians(Source):
    """Mixture of Gaussians: points in the plane around modes on a ring or a grid.

    The classes are the modes. Generators that collapse make samples on a few of them alone, which is easy to see and to
    count here: for a ring of 8, and for a grid of 25 as the harder case.

    Shapes:  two numbers, x1 and x2; the classes are "0", "1", …, around the ring or row by row.
    Units:   std is the standard deviation of each mode; scale is the radius of the ring, or the distance of two
             neighbors on the grid, which is centered.
    Raises:  DataError if a grid has no square number of modes.
    Source:  Metz et al. 2017, arXiv:1611.02163 (ring of radius 2, std 0.02); Srivastava et al. 2017,
             arXiv:1705.07761 (5 × 5 grid, distance 2, std 0.05).

    Example:
        {type: gaussians, layout: ring, modes: 8}
    """

    type: Literal["gaussians"] = "gaussians"
    layout: Literal["ring", "grid"] = "ring"
    """Where the modes stand."""
    modes: int = Field(8, ge=2)
    """How many there are."""
    n_samples: int = Field(4000, ge=2)
    """How many points; each mode has as many as any other, up to one."""
    scale: float = Field(2.0, gt=0)
    """Radius of the ring, or distance of neighbors on the grid."""
    std: float = Field(0.05, ge=0)
    """Standard deviation of each mode."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the points and their order."""

    def memory_bytes(self) -> int:
        return self.n_samples * 16 + self.modes * 16

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        labels = random.permutation(np.arange(self.n_samples) % self.modes)
        points = self._centers()[labels] + self.std * random.standard_normal((self.n_samples, 2))
        return labeled_points(points, labels, tuple(str(k) for k in range(self.modes)))

    def _centers(self) -> np.ndarray:
        import numpy as np

        if self.layout == "ring":
            angle = 2 * np.pi * np.arange(self.modes) / self.modes
            return self.scale * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        side = round(self.modes**0.5)
        if side * side != self.modes:
            raise DataError(f"gaussians: a grid has a square number of modes, not {self.modes}")
        steps = self.scale * (np.arange(side) - (side - 1) / 2)
        return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
