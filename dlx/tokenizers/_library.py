"""Subword tokenizers of the `tokenizers` library, with the special tokens of dlx at the first ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlx.errors import DataError
from dlx.tokenizers import SPECIAL, UNK, Codec

if TYPE_CHECKING:
    import numpy as np


class LibraryCodec(Codec):
    """A tokenizer of the library. One that was trained elsewhere keeps its own ids, moved behind the special ones."""

    def __init__(self, tokenizer: Any) -> None:
        own = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
        tokenizer.encode_special_tokens = True  # text that spells out a special token stays text
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.shift = 0 if tuple(own[: len(SPECIAL)]) == SPECIAL else len(SPECIAL)
        self.tokens = [*SPECIAL, *own] if self.shift else own
        model = json.loads(tokenizer.to_str())["model"]
        self.unknown = model.get("unk_id", own.index(model["unk_token"]) if model.get("unk_token") in own else None)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        found = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._shift_ids(np.array(one.ids, dtype=np.int64)) for one in found]

    def _shift_ids(self, ids: np.ndarray) -> np.ndarray:
        import numpy as np

        return ids if not self.shift else np.where(ids == self.unknown, UNK, ids + self.shift)

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode([i - self.shift for i in ids if i >= len(SPECIAL)], skip_special_tokens=True)
        return text

    def state(self) -> dict[str, Any]:
        return {"json": json.loads(self.tokenizer.to_str())}


def train_library_codec(tokenizer: Any, trainer: Any, texts: Sequence[str], name: str) -> LibraryCodec:
    """Train a tokenizer of the library. Raises: DataError if there is no text."""
    if not any(text.strip() for text in texts):
        raise DataError(f"the tokenizer '{name}' finds no text in the train split")
    tokenizer.train_from_iterator(texts, trainer)
    return LibraryCodec(tokenizer)


def restore_library_codec(state: Mapping[str, Any]) -> LibraryCodec:
    """Return the tokenizer whose state this is."""
    from tokenizers import Tokenizer

    return LibraryCodec(Tokenizer.from_str(json.dumps(state["json"])))
