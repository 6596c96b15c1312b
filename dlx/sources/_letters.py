"""Random sequences of letters, written as text with spaces between them."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from dlx.facts import DataFacts
from dlx.files import read_text_file, split_lines
from dlx.sources import Column, NewInputs, Samples, Source

LETTERS = string.ascii_lowercase


def text_column(sequences: Sequence[Sequence[str]]) -> Column:
    """Return a column of text, one sequence of letters a row."""
    import numpy as np

    values = np.empty(len(sequences), dtype=object)
    values[:] = [" ".join(sequence) for sequence in sequences]
    return Column(values, "", "text")


class LetterSequences(Source):
    """What sources share whose target is a function of a random sequence of letters."""

    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    n_samples: int = Field(10000, ge=1)
    """How many sequences."""
    n_symbols: int = Field(10, ge=1, le=len(LETTERS))
    """How many different letters."""
    min_length: int = Field(5, ge=1)
    """Length of the shortest sequences."""
    max_length: int = Field(10, ge=1)
    """Length of the longest sequences."""
    seed: int = Field(0, ge=0)
    """Seed of the letters."""

    def memory_bytes(self) -> int:
        return self.n_samples * self.min_length * 2

    @model_validator(mode="after")
    def _check_lengths(self) -> LetterSequences:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is greater than max_length {self.max_length}")
        return self

    def map_sequences(self, function: Callable[[Sequence[str]], Sequence[str]]) -> Samples:
        """Return random sequences, each with what the function makes of it."""
        import numpy as np

        random = np.random.default_rng(self.seed)
        lengths = random.integers(self.min_length, self.max_length + 1, self.n_samples)
        letters = np.array(list(LETTERS[: self.n_symbols]))
        drawn = [letters[random.integers(0, self.n_symbols, length)].tolist() for length in lengths]
        columns = {"source": text_column(drawn), "target": text_column([function(sequence) for sequence in drawn])}
        return Samples(columns, ("source",), "target")

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        """Read sequences from files, one a line."""
        lines = [line.split() for path in paths for line in split_lines(read_text_file(path, "utf-8"))]
        return NewInputs({"source": text_column([line for line in lines if line])})
