"""What tokenizers with a plain list of symbols share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dlx.tokenizers import SPECIAL, UNK, Codec

if TYPE_CHECKING:
    import numpy as np


class VocabularyCodec(Codec):
    """A list of symbols that are looked up; how text is cut and joined is left to those who inherit."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = list(symbols)
        self.tokens = [*SPECIAL, *self.symbols]
        self.ids = {symbol: i for i, symbol in enumerate(self.symbols, len(SPECIAL))}

    def tokenize(self, text: str) -> Sequence[str]:
        """Return the symbols of a text."""
        raise NotImplementedError

    def join(self, symbols: Sequence[str]) -> str:
        """Return the text of symbols."""
        raise NotImplementedError

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        look = self.ids.get
        return [np.array([look(symbol, UNK) for symbol in self.tokenize(text)], dtype=np.int64) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return self.join([self.tokens[i] for i in ids if i >= len(SPECIAL)])

    def state(self) -> dict[str, Any]:
        return {"symbols": self.symbols}
