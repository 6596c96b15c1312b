"""Subword tokenizers of the `tokenizers` library, with the special tokens of dlx at the first ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlx.errors import DataError
from dlx.tokenizers import SPECIAL, UNK, Codec

if TYPE_CHECKING:
    import numpy as np


NESTED_REPETITION = re.compile(r"[+*}]\)+[+*{]")
"""In a regular expression: a group that ends with a repetition, and is repeated itself, as in `(a+)+`."""


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

        with explain_library_errors():
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

    check_tokenizer_json(state["json"])
    with explain_library_errors():
        return LibraryCodec(Tokenizer.from_str(json.dumps(state["json"])))


def check_tokenizer_json(content: Any) -> None:
    """Raise DataError for a tokenizer whose patterns may take exponential time: a repetition of what repeats itself."""
    for pattern in _patterns(content):
        if NESTED_REPETITION.search(pattern):
            raise DataError(f"its pattern {pattern[:80]!r} repeats a repetition, which may take for ever on some texts")


def _patterns(content: Any) -> Iterator[str]:
    """Yield the regular expressions of a tokenizer's steps; its vocabulary and merges hold none."""
    if isinstance(content, Mapping):
        if isinstance(content.get("Regex"), str):
            yield content["Regex"]
        for name, value in content.items():
            if name not in ("vocab", "merges"):
                yield from _patterns(value)
    elif isinstance(content, list):
        for value in content:
            yield from _patterns(value)


@contextmanager
def explain_library_errors() -> Iterator[None]:
    """Turn what the library raises, its panics among it, which are no Exceptions, into a DataError."""
    try:
        yield
    except (DataError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(f"the tokenizer fails: {reason}") from None
