from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source
from dlx.sources._letters import LETTERS, text_column


class DelayedRecall(Source):
    """Delayed recall: predict the first letter of a sequence at its end, after many distractors.

    Letters to recall and letters that distract are different ones; the last token is a question mark. A recurrent
    network must keep the first letter over `delay` steps, whose gradient shrinks or grows with every one.

    Shapes:  text of delay + 2 tokens; the target is one of `n_symbols` classes.
    Source:  Hochreiter & Schmidhuber 1997, Long short-term memory, experiment 2.

    Example:
        {type: delayed_recall, delay: 50, n_symbols: 4}
    """

    type: Literal["delayed_recall"] = "delayed_recall"
    n_samples: int = Field(5000, ge=1)
    """How many sequences."""
    delay: int = Field(20, ge=0)
    """Letters between the first one and the question."""
    n_symbols: int = Field(4, ge=2, le=13)
    """How many letters there are to recall."""
    n_distractors: int = Field(8, ge=1, le=13)
    """How many letters there are between."""
    seed: int = Field(0, ge=0)
    """Seed of the letters."""

    def memory_bytes(self) -> int:
        return self.n_samples * (self.delay + 1) * 8

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        codes = random.integers(0, self.n_symbols, self.n_samples)
        between = random.integers(0, self.n_distractors, (self.n_samples, self.delay))
        others = LETTERS[::-1]
        rows = [[LETTERS[c], *(others[i] for i in row), "?"] for c, row in zip(codes, between, strict=True)]
        target = Column(codes.astype("int64"), "", "categorical", tuple(LETTERS[: self.n_symbols]))
        return Samples({"text": text_column(rows), "target": target}, ("text",), "target")
