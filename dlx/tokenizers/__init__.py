"""Tokenizers: how text becomes token ids. They are trained on the train split alone and stored with the facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.component import Component

if TYPE_CHECKING:
    import numpy as np

SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = range(len(SPECIAL))
"""Ids that mean the same under every tokenizer: filler, a token never seen in training, and the ends of a text."""
MASKED = "<mask>"
"""The special token of a task that hides tokens: what stands where one was."""


class Codec(ABC):
    """A tokenizer after training: text to ids and back.

    tokens    the name of every id; the first are the `SPECIAL` ones
    specials  those that a task asked for, which are the last

    Special ids are never made from text, even where the text spells one out.
    """

    tokens: Sequence[str]
    specials: Sequence[str] = ()

    def special(self, name: str) -> int:
        """Return the id of a special token that a task asked for."""
        return len(self.tokens) - len(self.specials) + list(self.specials).index(name)

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids (int64) of each text, without begin and end."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; special ones are left out."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON values."""


class Tokenizer(Component):
    """A way to cut text into tokens and to number them."""

    family = "tokenizers"

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        """Learn the tokens from the texts of the train split. Paths are relative to `base`, the recipe's folder.

        Raises: DataError if nothing can be learned from them.
        """
        raise NotImplementedError

    def restore(self, state: Mapping[str, Any]) -> Codec:
        """Return the codec whose `state` this is."""
        raise NotImplementedError

    def files(self, base: Path) -> list[Path]:
        """Return the files that the tokenizer is read from, for the data's fingerprint."""
        return []

    def with_stages(self, stages: Mapping[str, Mapping[str, Any]]) -> Tokenizer:
        """Return the tokenizer with what it takes of earlier stages: by their names, what each stored by field."""
        return self

    def with_stored(self, stored: Mapping[str, Any]) -> Tokenizer:
        """Return the tokenizer as it is in data that were prepared before, if it comes from elsewhere; `stored` is what
        `store` made of it.
        """
        return self

    def fingerprint(self) -> str:
        """Return what tells the tokenizer apart from others of the same fields and files."""
        return ""


class ExtendedCodec(Codec):
    """A codec with the special tokens of a task behind its own tokens."""

    def __init__(self, codec: Codec, specials: Sequence[str]) -> None:
        self.codec = codec
        self.specials = [*codec.specials, *specials]
        self.tokens = [*codec.tokens, *specials]

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        return self.codec.encode(texts)

    def decode(self, ids: Sequence[int]) -> str:
        return self.codec.decode([i for i in ids if i < len(self.codec.tokens)])

    def state(self) -> dict[str, Any]:
        return self.codec.state()


def store(tokenizer: Tokenizer, codec: Codec, specials: Sequence[str] = ()) -> dict[str, Any]:
    """Return a trained tokenizer as plain JSON values, with the special tokens of a task that it lacks."""
    absent = [name for name in specials if name not in codec.specials]
    more = {"specials": absent} if absent else {}
    return {"tokenizer": tokenizer.model_dump(mode="json"), "state": codec.state(), **more}


def restore(stored: Mapping[str, Any]) -> Codec:
    """Return the codec that `store` described."""
    codec = Tokenizer.model_validate(stored["tokenizer"]).restore(stored["state"])
    return ExtendedCodec(codec, stored["specials"]) if "specials" in stored else codec
