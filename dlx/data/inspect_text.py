"""Looking at text that nobody has described yet: running text to be continued, or two files to be translated."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.files import read_text_file

SEVERAL_WORDS = 3
"""Cells of at least so many words, by the median, are text and not names of categories."""
LENGTH = 64
"""Tokens in a block of running text, where there is enough of it."""
BLOCKS = 50
"""Blocks that every split should have about."""


@dataclass(frozen=True)
class TextInspection:
    """Text from which to learn to write: its source as a recipe writes it, the task, and what it is in words."""

    source: dict[str, Any]
    task: str
    words: dict[str, str]
    rows: int
    target: str
    unit: str = "characters"
    ignored: dict[str, str] = field(default_factory=dict)
    bad: float = 0.0

    @property
    def inputs(self) -> dict[str, str]:
        """What is read, in words."""
        return self.words


def inspect_running_text(path: Path, base: Path) -> TextInspection:
    """Describe text that a language model learns to continue. Raises: DataError if there is too little."""
    text = read_text_file(path, "utf-8")
    length = min(LENGTH, len(text) // (10 * BLOCKS))
    if length < 4:
        raise DataError(f"{path}: {len(text)} characters are too few to learn from")
    source = {"text": {"path": relative_path(path, base), "block_size": length, "stride": max(1, length // 8)}}
    words = {"tokens": f"{len(set(text))} different characters"}
    return TextInspection(source, "language_modeling", words, len(text), "the next character")


def inspect_parallel_text(first: Path, second: Path, base: Path) -> TextInspection:
    """Describe two files that are pairs line by line. Raises: DataError if they have different numbers of lines."""
    from dlx.sources import Source

    source = {"parallel_text": {"path": [relative_path(first, base), relative_path(second, base)]}}
    samples = Source.model_validate(source).load(base, "skip")
    columns = {name: samples.columns[name].values for name in ("source", "target")}
    words = {name: f"median {median_words(values):.0f} words" for name, values in columns.items()}
    rows, bad = len(columns["source"]), len(samples.problems)
    return TextInspection(source, "seq2seq", words, rows, second.name, unit="pairs", bad=bad / (rows + bad))


def median_words(texts: Any) -> float:
    """Return the median number of words of texts."""
    return float(np.median([len(str(text).split()) for text in texts])) if len(texts) else 0.0


def relative_path(path: Path, base: Path) -> str:
    """Return a path as a recipe in `base` writes it."""
    return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()
