from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dlx.errors import DataError
from dlx.tokenizers import SPECIAL, Codec, Tokenizer
from dlx.tokenizers._vocabulary import VocabularyCodec

WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Word(Tokenizer):
    """Word-level tokenizer: one token for every frequent word and punctuation mark of the train split.

    Words are numbered from the most frequent one down, equally frequent ones by the alphabet. Rarer words are unknown.
    Decoding puts one space between tokens. For classification with little text; a subword tokenizer reads rare words.

    Raises:  DataError if no word is left.

    Example:
        {type: word, min_frequency: 2, lowercase: true}
    """

    type: Literal["word"] = "word"
    min_frequency: int = Field(1, ge=1)
    """Rarer words are unknown."""
    vocab_size: int | None = Field(None, gt=len(SPECIAL))
    """Largest size of the vocabulary, special tokens included: the most frequent words; null for no limit."""
    lowercase: bool = False
    """Whether text is lowercased first."""
    pre_tokenizer: Literal["punctuation", "whitespace"] = "punctuation"
    """Where words end: at spaces and around punctuation, or at spaces alone."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        counts = Counter(word for text in texts for word in self._tokenize(text))
        ranked = sorted((word for word, n in counts.items() if n >= self.min_frequency), key=lambda w: (-counts[w], w))
        if not ranked:
            raise DataError(f"the tokenizer 'word' finds no word {self.min_frequency} times in the train split")
        return _WordCodec(ranked[: self.vocab_size and self.vocab_size - len(SPECIAL)], self)

    def restore(self, state: Mapping[str, Any]) -> Codec:
        return _WordCodec(state["symbols"], self)

    def _tokenize(self, text: str) -> list[str]:
        text = text.lower() if self.lowercase else text
        return text.split() if self.pre_tokenizer == "whitespace" else WORDS.findall(text)


class _WordCodec(VocabularyCodec):
    def __init__(self, symbols: Sequence[str], spec: Word) -> None:
        super().__init__(symbols)
        self.tokenize = spec._tokenize  # type: ignore[method-assign]

    def join(self, symbols: Sequence[str]) -> str:
        return " ".join(symbols)
