"""Tokenizers: how text becomes numbers. They learn from the train split alone and are stored with the facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.component import Component

if TYPE_CHECKING:
    import numpy as np

SPECIAL = ("<pad>", "<unk>", "<begin>", "<end>")
PAD, UNKNOWN, BEGIN, END = range(len(SPECIAL))
"""Ids that mean the same under every tokenizer: filler, a token never seen in training, and the ends of a text."""


class Codec(ABC):
    """A tokenizer after training: text to ids and back.

    tokens  the name of every id; the first are the `SPECIAL` ones

    Special ids are never made from text, even where the text spells one out.
    """

    tokens: Sequence[str]

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


def store(tokenizer: Tokenizer, codec: Codec) -> dict[str, Any]:
    """Return a trained tokenizer as plain JSON values."""
    return {"tokenizer": tokenizer.model_dump(mode="json"), "state": codec.state()}


def restore(stored: Mapping[str, Any]) -> Codec:
    """Return the codec that `store` described."""
    return Tokenizer.model_validate(stored["tokenizer"]).restore(stored["state"])
