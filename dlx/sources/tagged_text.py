from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.facts import IGNORED
from dlx.files import path_from, read_text_file, split_lines
from dlx.sources import Column, Recognition, Samples, Source, Spans
from dlx.sources._errors import raise_or_skip

SEPARATORS = re.compile(r"[ \t]+")
PASSED_OVER = ("-DOCSTART-", "# ")
"""How lines begin that hold no word."""
LOOKED_AT, MOST_COLUMNS = 200, 12
"""Lines, and columns, by which a file of tags is recognized."""


class TaggedText(Source):
    """Tagged text (CoNLL format): sentences with a tag for every word, for tagging and named-entity recognition.

    Each line is a word and its tags, with spaces or tabs between; an empty line ends a sentence. Lines that begin with
    `-DOCSTART-` or # and a space are passed over.

    Shapes:  text of T words; the target is one class for each word, (T,).
    Raises:  DataError that lists the lines with too few columns.
    Source:  the format of the CoNLL shared tasks, Tjong Kim Sang & De Meulder 2003.

    Example:
        {type: tagged_text, path: train.conll, test_path: test.conll, tag_column: 4}
    """

    primary: ClassVar[str] = "path"
    tokenizer: ClassVar[Any] = {"type": "word", "pre_tokenizer": "whitespace"}
    type: Literal["tagged_text"] = "tagged_text"
    path: str
    """File with all sentences, or with those to train on."""
    val_path: str | None = None
    """File to validate on."""
    test_path: str | None = None
    """File to test on."""
    word_column: int = Field(1, ge=1)
    """Column of the word, counted from 1."""
    tag_column: int = Field(2, ge=1)
    """Column of the class, counted from 1."""
    ignore: Annotated[tuple[str, ...], Strict(False)] = ()
    """Tags of words that have no class: they are read, but neither trained on nor measured."""
    encoding: str = "utf-8"
    """Encoding of the files."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        """A word and its tags in every line, as many in all, and empty lines between sentences."""
        if not path.is_file() or path.suffix.lower() not in (".conll", ".conllu", ".bio", ".iob", ".iob2", ".txt"):
            return None
        lines = split_lines(read_text_file(path, "utf-8"))[:LOOKED_AT]
        cells = [SEPARATORS.split(line.strip()) for line in lines if line.strip() and not line.startswith(PASSED_OVER)]
        widths = {len(row) for row in cells}
        if len(widths) != 1 or not 2 <= (width := widths.pop()) <= MOST_COLUMNS or all(line.strip() for line in lines):
            return None
        return Recognition(3, "token_classification", {"tag_column": width})

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        found: list[list[tuple[str, str]]] = []
        splits: list[str] = []
        problems: list[str] = []
        for split, file in self._files(base).items():
            sentences = list(self._sentences(file, problems))
            found += sentences
            splits += [split] * len(sentences)
        raise_or_skip(f"cannot use {self.path}", problems, on_error)
        if not found:
            raise DataError("\n".join([f"{self.path}: no sentence is left", *problems[:5]]))
        classes = tuple(sorted({tag for sentence in found for _, tag in sentence} - set(self.ignore)))
        code = {**dict.fromkeys(self.ignore, IGNORED), **{name: i for i, name in enumerate(classes)}}
        tags = Spans.of([np.array([code[tag] for _, tag in sentence], dtype=np.int64) for sentence in found])
        words = np.empty(len(found), dtype=object)
        words[:] = [" ".join(word for word, _ in sentence) for sentence in found]
        columns = {"text": Column(words, "", "text"), "target": Column(tags, "T", "categorical", classes)}
        belongs = np.array(splits, dtype=object) if len(set(splits)) > 1 else None
        return Samples(columns, ("text",), "target", belongs, problems)

    def files(self, base: Path) -> list[Path]:
        return list(self._files(base).values())

    def with_path(self, path: Path) -> Self:
        return super().with_path(path).evolve_all({"val_path": None, "test_path": None})

    def _files(self, base: Path) -> dict[str, Path]:
        given = {"train": self.path, "val": self.val_path, "test": self.test_path}
        return {split: path_from(base, path) for split, path in given.items() if path is not None}

    def _sentences(self, file: Path, problems: list[str]) -> Iterator[list[tuple[str, str]]]:
        """Yield the words and tags of every sentence without a bad line."""
        sentence: list[tuple[str, str]] = []
        bad = False
        for number, line in enumerate([*split_lines(read_text_file(file, self.encoding)), ""], 1):
            cells = [cell for cell in SEPARATORS.split(line) if cell] if line.strip() else []
            if not cells and sentence and not bad:
                yield sentence
            if not cells:
                sentence, bad = [], False
            elif line.startswith(PASSED_OVER):
                continue
            elif len(cells) < max(self.word_column, self.tag_column):
                problems.append(
                    f"{file}:{number}: {len(cells)} columns where {max(self.word_column, self.tag_column)} are expected"
                )
                bad = True
            else:
                word = cells[self.word_column - 1]
                sentence.append(("_".join(word.split()) or "_", cells[self.tag_column - 1]))
