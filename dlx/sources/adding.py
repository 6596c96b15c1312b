from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source


class Adding(Source):
    """The adding problem: the sum of the two numbers of a long sequence that are marked.

    Every step has a number, uniform in 0 … 1, and a mark, which is 1 at one step of the first half and at one of the
    second half, else 0. Always answering 1 has a mean squared error of 1/6 ≈ 0.167: what a network reaches that
    remembers nothing.

    Shapes:  sequence (length, 2); the target is a number.
    Source:  Hochreiter & Schmidhuber 1997; in this form Arjovsky et al. 2016, arXiv:1511.06464, section 4.1.

    Example:
        {type: adding, length: 100}
    """

    type: Literal["adding"] = "adding"
    n_samples: int = Field(10000, ge=1)
    """How many sequences."""
    length: int = Field(100, ge=2)
    """Steps of a sequence."""
    seed: int = Field(0, ge=0)
    """Seed of numbers and marks."""

    def memory_bytes(self) -> int:
        return self.n_samples * self.length * 8

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        numbers_NT = random.uniform(0, 1, (self.n_samples, self.length)).astype("float32")
        marks_NT, rows, half = np.zeros_like(numbers_NT), np.arange(self.n_samples), self.length // 2
        marks_NT[rows, random.integers(0, half, self.n_samples)] = 1
        marks_NT[rows, random.integers(half, self.length, self.n_samples)] = 1
        sequence = Column(np.stack([numbers_NT, marks_NT], axis=2), "TF", "numeric", names=("number", "mark"))
        total = Column((numbers_NT * marks_NT).sum(axis=1).astype("float64"), "", "numeric")
        return Samples({"sequence": sequence, "sum": total}, ("sequence",), "sum")
