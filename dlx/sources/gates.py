from __future__ import annotations

import itertools
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from dlx.sources import Samples, Source
from dlx.sources._points import labeled_points


class Gates(Source):
    """Logic gates: the truth table of a gate, with inputs of 0 and 1.

    A single perceptron learns and, or, nand and nor, but never xor and xnor, which no straight line separates. xor of
    more than two inputs is their parity.

    Shapes:  one number for each input, x1, x2, …; the class is "0" or "1".
    Units:   noise is the standard deviation of what is added to the inputs.
    Source:  Minsky & Papert 1969, Perceptrons.

    Example:
        {type: gates, gate: xor, repeat: 50}
    """

    primary: ClassVar[str] = "gate"
    type: Literal["gates"] = "gates"
    gate: Literal["and", "or", "xor", "nand", "nor", "xnor"]
    """Which gate."""
    n_inputs: int = Field(2, ge=2, le=16)
    """How many inputs the gate has."""
    repeat: int = Field(1, gt=0)
    """How many times the whole table is repeated."""
    noise: float = Field(0.0, ge=0)
    """Gaussian noise on the inputs."""
    seed: int = Field(0, ge=0)
    """Seed of the noise."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        table = np.array(list(itertools.product((0, 1), repeat=self.n_inputs)))
        outputs = {
            "and": table.all(axis=1),
            "or": table.any(axis=1),
            "xor": table.sum(axis=1) % 2 == 1,
            "nand": ~table.all(axis=1),
            "nor": ~table.any(axis=1),
            "xnor": table.sum(axis=1) % 2 == 0,
        }[self.gate]
        points = np.tile(table, (self.repeat, 1)).astype("float64")
        points += self.noise * np.random.default_rng(self.seed).standard_normal(points.shape)
        return labeled_points(points, np.tile(outputs, self.repeat), ("0", "1"))
