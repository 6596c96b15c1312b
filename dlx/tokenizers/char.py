from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.errors import DataError
from dlx.tokenizers import UNK, Codec, Tokenizer
from dlx.tokenizers._vocabulary import VocabularyCodec

if TYPE_CHECKING:
    import numpy as np


class Char(Tokenizer):
    """Character-level tokenizer: one token for every character of the train split, in the order of code points.

    Short vocabularies and long sequences: for language models of a single small text, and where spelling matters.

    Raises:  DataError if the train split holds no text.
    Source:  Unicode code points, as Python counts them.

    Example:
        {type: char, lowercase: false}
    """

    type: Literal["char"] = "char"
    lowercase: bool = False
    """Whether text is lowercased first."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        found = set().union(*(set(text.lower() if self.lowercase else text) for text in texts))
        if not found:
            raise DataError("the tokenizer 'char' finds no character in the train split")
        return _CharCodec(sorted(found), self.lowercase)

    def restore(self, state: Mapping[str, Any]) -> Codec:
        return _CharCodec(state["symbols"], self.lowercase)


class _CharCodec(VocabularyCodec):
    def __init__(self, symbols: Sequence[str], lower: bool) -> None:
        import numpy as np

        super().__init__(symbols)
        self.lowercase = lower
        self.table = np.full(max(map(ord, self.symbols)) + 2, UNK, dtype=np.int64)  # the last one: any beyond
        self.table[[ord(symbol) for symbol in self.symbols]] = list(self.ids.values())

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        last = len(self.table) - 1
        points = (np.frombuffer((t.lower() if self.lowercase else t).encode("utf-32-le"), dtype="<u4") for t in texts)
        return [self.table[np.minimum(p, last)] for p in points]

    def join(self, symbols: Sequence[str]) -> str:
        return "".join(symbols)
