from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Strict

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import path_from, read_text_file, split_lines
from dlx.sources import Column, NewInputs, Samples, Source
from dlx.sources._errors import raise_or_skip

Pair = Annotated[tuple[str, str], Strict(False)]


class ParallelText(Source):
    """Parallel text: pairs such as sentences and their translations, in two files line by line, plain or gzipped.

    Shapes:  source, text; target, text.
    Raises:  DataError if the two files have different numbers of lines, or a line is empty in one of them.

    Example:
        type: parallel_text
        path: [train.en.gz, train.de.gz]
        val_path: [val.en.gz, val.de.gz]
        test_path: [test.en.gz, test.de.gz]
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".gz")
    type: Literal["parallel_text"] = "parallel_text"
    path: Pair
    """File with the texts that are read, file with the texts to predict: all of them, or those to train on."""
    val_path: Pair | None = None
    """The two files to validate on."""
    test_path: Pair | None = None
    """The two files to test on."""
    encoding: str = "utf-8"
    """Encoding of the files."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        pairs: list[tuple[str, str]] = []
        splits: list[str] = []
        problems: list[str] = []
        for split, (first, second) in self._files(base).items():
            found = self._pairs(first, second, problems)
            pairs += found
            splits += [split] * len(found)
        raise_or_skip(f"cannot use {self.path[0]} and {self.path[1]}", problems, on_error)
        if not pairs:
            raise DataError("\n".join([f"{self.path[0]}: no pair is left", *problems[:5]]))
        columns = {
            name: _column(texts) for name, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=True)
        }
        belongs = np.array(splits, dtype=object) if len(set(splits)) > 1 else None
        return Samples(columns, ("source",), "target", belongs, problems)

    def files(self, base: Path) -> list[Path]:
        return [file for pair in self._files(base).values() for file in pair]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        return NewInputs({"source": _column([line for path in paths for line in _lines(path, self.encoding)])})

    def _files(self, base: Path) -> dict[str, tuple[Path, Path]]:
        given = {"train": self.path, "val": self.val_path, "test": self.test_path}
        found = {split: [path_from(base, p) for p in pair] for split, pair in given.items() if pair is not None}
        return {split: (first, second) for split, (first, second) in found.items()}

    def _pairs(self, first: Path, second: Path, problems: list[str]) -> list[tuple[str, str]]:
        ours, theirs = _lines(first, self.encoding), _lines(second, self.encoding)
        if len(ours) != len(theirs):
            raise DataError(
                f"{first} has {len(ours)} lines, but {second} has {len(theirs)}: line by line they are pairs"
            )
        pairs = []
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
            if a and b:
                pairs.append((a, b))
            else:
                problems.append(f"{second if a else first}:{number}: the line is empty")
        return pairs


def _lines(path: Path, encoding: str) -> list[str]:
    return [line.strip() for line in split_lines(read_text_file(path, encoding))]


def _column(texts: Sequence[str]) -> Column:
    import numpy as np

    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    return Column(values, "", "text")
