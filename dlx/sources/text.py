from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.errors import DataError
from dlx.files import path_from, read_text_file, split_lines
from dlx.sources import Column, Recognition, Samples, Source, TextBlocks
from dlx.sources._errors import raise_or_skip

LOOKED_AT = 50
"""Lines by which running text is told from a table."""


class Text(Source):
    """Running text for language modeling: blocks of tokens, each with the block one token later as its target.

    One file, all files of a folder, or all that a pattern such as `plays/*.txt` fits, in the order of their names; each
    is a document, or each line is. Without files of their own, val and test are the end of the text. Blocks never reach
    over the end of a split. In training a `stride` smaller than `block_size` lets blocks overlap; 1 begins one at every
    token.

    Shapes:  tokens (block_size,), target (block_size,).
    Units:   block_size and stride are in tokens; shares of a split are in characters.
    Raises:  DataError if a file is absent, empty, or not text in this encoding.

    Example:
        {type: text, path: input.txt, block_size: 64}
    """

    primary: ClassVar[str] = "path"
    tokenizer: ClassVar[Any] = "char"
    type: Literal["text"] = "text"
    path: str
    """File, folder or pattern with all text, or with that to train on."""
    val_path: str | None = None
    """File, folder or pattern to validate on."""
    test_path: str | None = None
    """File, folder or pattern to test on."""
    block_size: int = Field(64, ge=1)
    """Tokens in a block."""
    stride: int | None = Field(None, ge=1)
    """Tokens from the beginning of one training block to that of the next; null is `block_size`."""
    documents: Literal["files", "lines"] = "files"
    """What a document is; where there are several, each ends with the end token."""
    encoding: str = "utf-8"
    """Encoding of the files."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        """Running text has no columns: no separator stands equally often in every line."""
        if path.suffix.lower() not in (".txt", ".md", ".text") or not path.is_file():
            return None
        lines = [line for line in split_lines(read_text_file(path, "utf-8"))[:LOOKED_AT] if line.strip()]
        columns = any(_is_regular(lines, separator) for separator in ("\t", ",", ";", "|"))
        return None if columns else Recognition(2, "language_modeling")

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        texts: list[str] = []
        splits: list[str] = []
        problems: list[str] = []
        for split, files in self._files(base).items():
            for file in files:
                try:
                    found = self._documents(read_text_file(file, self.encoding))
                except DataError as error:
                    problems.append(str(error))
                    continue
                texts += found
                splits += [split] * len(found)
        raise_or_skip(f"cannot use {self.path}", problems, on_error)
        if not texts:
            raise DataError("\n".join([f"{self.path}: no text is left", *problems[:5]]))
        values = np.array(texts, dtype=object)
        belongs = np.array(splits, dtype=object) if len(set(splits)) > 1 else None
        blocks = TextBlocks(self.block_size, self.stride or self.block_size)
        return Samples({"text": Column(values, "", "text")}, ("text",), None, belongs, problems, blocks)

    def files(self, base: Path) -> list[Path]:
        return [file for files in self._files(base).values() for file in files]

    def with_path(self, path: Path) -> Text:
        return super().with_path(path).evolve_all({"val_path": None, "test_path": None})

    def _files(self, base: Path) -> dict[str, list[Path]]:
        given = {"train": self.path, "val": self.val_path, "test": self.test_path}
        return {split: _matching_files(base, path) for split, path in given.items() if path is not None}

    def _documents(self, text: str) -> list[str]:
        if self.documents == "lines":
            return [line for line in split_lines(text) if line.strip()]
        return [text.replace("\r\n", "\n")]


def _matching_files(base: Path, path: str) -> list[Path]:
    whole = path_from(base, path)
    if whole.is_dir():
        files = sorted(p for p in whole.rglob("*") if p.is_file() and not p.name.startswith("."))
    elif set("*?[") & set(path) and not whole.exists():
        anchor = Path(whole.anchor or ".")
        files = sorted(p for p in anchor.glob(str(whole.relative_to(anchor))) if p.is_file())
    else:
        return [whole]
    if not files:
        raise DataError(f"{whole}: no files found")
    return files


def _is_regular(lines: list[str], separator: str) -> bool:
    """Say whether a separator stands equally often in every line."""
    counts = {line.count(separator) for line in lines}
    return len(lines) > 1 and len(counts) == 1 and counts != {0}
