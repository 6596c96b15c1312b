"""Text to tokens: tokenizers are trained on the train split, then every text is encoded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.facts import Lengths
from dlx.recipe.schema import Data
from dlx.sources import Blocks, Spans
from dlx.tasks import EVERY_ROLE
from dlx.tensors import TensorSpec
from dlx.tokenizers import BEGIN, END, UNKNOWN, Codec, Tokenizer, restore, store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Text:
    """How the text of a field becomes ids: a trained tokenizer, how many ids a text may have, and both as JSON."""

    codec: Codec
    stored: Mapping[str, Any]
    max_length: int | None = None

    @classmethod
    def known(cls, stored: Mapping[str, Any]) -> Text:
        """Return what facts keep of a field."""
        return cls(restore(stored), stored, stored["max_length"])

    def encode(self, texts: Sequence[str | None], name: str, ends: bool = False) -> Spans:
        """Return the ids of every text, cut off at the greatest length.

        ends  whether each begins with the begin id and ends with the end id, which count; else a text without any token
              is one unknown token, so that no sample is empty
        """
        first, last = (np.array([i] if ends else [], dtype=np.int64) for i in (BEGIN, END))
        room = None if self.max_length is None else max(0, self.max_length - len(first) - len(last))
        found = self.codec.encode([text or "" for text in texts])
        cut = sum(room is not None and len(ids) > room for ids in found)
        if cut:
            log.warning("%s: %d of %d texts are cut off at %d tokens", name, cut, len(found), self.max_length)
        empty = np.array([] if ends else [UNKNOWN], dtype=np.int64)
        return Spans.of([np.concatenate([first, ids[:room] if len(ids) else empty, last]) for ids in found])

    def spec(self, dims: tuple[int | None, ...] = (None,)) -> TensorSpec:
        """Return what a field of these tokens is."""
        return TensorSpec(dims, "T", "int64", vocab=(len(self.codec.tokens),))


def learn(texts: Mapping[str, Sequence[str | None]], data: Data, base: Path) -> dict[str, Text]:
    """Train a tokenizer for each field on its texts of the train split, or one for all of them together."""
    if not texts:
        return {}
    chosen = data.tokenizer or {EVERY_ROLE: Tokenizer.model_validate(data.source.tokenizer)}
    if EVERY_ROLE in chosen:
        joint = [text for field in texts.values() for text in field if text is not None]
        return dict.fromkeys(texts, _trained(chosen[EVERY_ROLE], joint, data, base))
    absent = sorted(set(texts) ^ set(chosen))
    if absent:
        raise DataError(f"data.tokenizer names {', '.join(chosen)}, but the fields with text are {', '.join(texts)}")
    return {
        name: _trained(chosen[name], [t for t in field if t is not None], data, base) for name, field in texts.items()
    }


def _trained(tokenizer: Tokenizer, texts: Sequence[str], data: Data, base: Path) -> Text:
    codec = tokenizer.train(texts, base)
    return Text(codec, {**store(tokenizer, codec), "max_length": data.max_length}, data.max_length)


def lengths(spans: Spans, train: np.ndarray) -> Lengths:
    """Return how long sequences are."""
    return Lengths(float(spans.lengths[train].mean()), int(spans.lengths.max()))


def blocks(
    parts: Mapping[str, Sequence[str]], text: Text, how: Blocks, ends: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return running text as fields `tokens` and `target`, the same one token later, and the rows of each split.

    With `ends` the end id follows every document, and every piece of one that a split cuts. No block reaches over the
    end of a split. Blocks overlap, where `stride` says so, in training only.
    """
    none = np.array([], dtype=np.int64)
    values, starts, rows = [none], [none], {}
    for part, documents in parts.items():
        end = np.array([END] if ends else [], dtype=np.int64)
        tokens = np.concatenate([none, *(piece for ids in text.codec.encode(documents) for piece in (ids, end))])
        begin, known = sum(len(v) for v in values), sum(len(s) for s in starts)
        found = begin + np.arange(0, max(0, len(tokens) - how.length), how.stride if part == "train" else how.length)
        if len(tokens) and not len(found):
            raise DataError(f"the {part} split has {len(tokens)} tokens, too few for one block of {how.length}")
        rows[part] = np.arange(known, known + len(found))
        values.append(tokens)
        starts.append(found)
    flat, places = np.concatenate(values), np.concatenate(starts)
    same = np.full(len(places), how.length)
    return {"tokens": Spans(flat, places, same), "target": Spans(flat, places + 1, same)}, rows
