"""Looking at text that nobody has described yet: running text to be continued, or two files to be translated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.files import read_text_file, split_lines

SEPARATORS = ("\t", ",", ";", "|")
LOOKED_AT = 50
"""Lines by which a file is told to be a table or running text."""
SEVERAL_WORDS = 3
"""Cells of at least so many words in the middle are text and not names of categories."""
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


def is_running_text(path: Path) -> bool:
    """Say whether a file is running text: of a usual name for it, and without columns."""
    if path.suffix not in (".txt", ".md", ".text"):
        return False
    lines = [line for line in split_lines(read_text_file(path, "utf-8"))[:LOOKED_AT] if line.strip()]
    return not any(_is_regular(lines, separator) for separator in SEPARATORS)


def _is_regular(lines: Sequence[str], separator: str) -> bool:
    """Say whether a separator stands equally often in every line."""
    counts = {line.count(separator) for line in lines}
    return len(lines) > 1 and len(counts) == 1 and counts != {0}


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
    words = {name: f"{median_words(values):.0f} words in the middle" for name, values in columns.items()}
    rows, bad = len(columns["source"]), len(samples.problems)
    return TextInspection(source, "seq2seq", words, rows, second.name, unit="pairs", bad=bad / (rows + bad))


def median_words(texts: Any) -> float:
    """Return how many words a text has in the middle."""
    return float(np.median([len(str(text).split()) for text in texts])) if len(texts) else 0.0


def relative_path(path: Path, base: Path) -> str:
    """Return a path as a recipe in `base` writes it."""
    return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()
