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
from dlx.recipe.schema.data import Data
from dlx.sources import Spans, TextBlocks
from dlx.tasks import EVERY_ROLE
from dlx.tensors import TensorSpec
from dlx.tokenizers import BOS, EOS, UNK, Codec, Tokenizer, restore, store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextEncoder:
    """How the text of a field becomes ids: a trained tokenizer, how many ids a text may have, and whether they begin
    and end with those that say so; `stored` is all of this as JSON.
    """

    codec: Codec
    stored: Mapping[str, Any]
    max_length: int | None = None
    ends: bool = False

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> TextEncoder:
        """Return what facts keep of a field."""
        return cls(restore(stored), stored, stored["max_length"], stored.get("ends", False))

    def encode(self, texts: Sequence[str | None], name: str, ends: bool = False) -> Spans:
        """Return the ids of every text, cut off at the greatest length.

        ends  whether each begins with the begin id and ends with the end id, which count, in any case; a text that has
              neither and no token is one unknown token, so that no sample is empty
        """
        ends = ends or self.ends
        first, last = (np.array([i] if ends else [], dtype=np.int64) for i in (BOS, EOS))
        room = None if self.max_length is None else max(0, self.max_length - len(first) - len(last))
        found = self.codec.encode([text or "" for text in texts])
        cut = sum(room is not None and len(ids) > room for ids in found)
        if cut:
            log.warning("%s: %d of %d texts are cut off at %d tokens", name, cut, len(found), self.max_length)
        empty = np.array([] if ends else [UNK], dtype=np.int64)
        return Spans.of([np.concatenate([first, ids[:room] if len(ids) else empty, last]) for ids in found])

    def spec(self, dims: tuple[int | None, ...] = (None,)) -> TensorSpec:
        """Return what a field of these tokens is."""
        return TensorSpec(dims, "T", "int64", vocab=(len(self.codec.tokens),))


def train_tokenizers(
    texts: Mapping[str, Sequence[str | None]], data: Data, base: Path, specials: Sequence[str] = ()
) -> dict[str, TextEncoder]:
    """Train a tokenizer for each field on its texts of the train split, or one for all of them together.

    specials  the special tokens that the task needs behind all others
    """
    if not texts:
        return {}
    chosen = data.tokenizer or {EVERY_ROLE: Tokenizer.model_validate(data.source.tokenizer)}
    if EVERY_ROLE in chosen:
        joint = [text for field in texts.values() for text in field if text is not None]
        return dict.fromkeys(texts, _train_tokenizer(chosen[EVERY_ROLE], joint, data, base, specials))
    absent = sorted(set(texts) ^ set(chosen))
    if absent:
        raise DataError(f"data.tokenizer names {', '.join(chosen)}, but the fields with text are {', '.join(texts)}")
    known = {name: [text for text in field if text is not None] for name, field in texts.items()}
    return {name: _train_tokenizer(chosen[name], field, data, base, specials) for name, field in known.items()}


def _train_tokenizer(
    tokenizer: Tokenizer, texts: Sequence[str], data: Data, base: Path, specials: Sequence[str]
) -> TextEncoder:
    stored = store(tokenizer, tokenizer.train(texts, base), specials)
    return TextEncoder.from_stored(
        {**stored, "max_length": data.max_length, **({"ends": True} if data.special_tokens else {})}
    )


def lengths_of(spans: Spans, train: np.ndarray) -> Lengths:
    """Return how long sequences are."""
    return Lengths(float(spans.lengths[train].mean()), int(spans.lengths.max()))


def cut_blocks(
    parts: Mapping[str, Sequence[str]], text: TextEncoder, how: TextBlocks, ends: bool
) -> tuple[dict[str, Spans], dict[str, np.ndarray]]:
    """Return running text as fields `tokens` and `target`, the same one token later, and the rows of each split.

    With `ends` the end id follows every document, and every piece of one that a split cuts. No block reaches over the
    end of a split. Blocks overlap, where `stride` says so, in training only.
    """
    none = np.array([], dtype=np.int64)
    values, starts, rows = [none], [none], {}
    for part, documents in parts.items():
        end = np.array([EOS] if ends else [], dtype=np.int64)
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


def running_text_fields(
    parts: Mapping[str, Sequence[str]], text: TextEncoder, how: TextBlocks, target_kind: str | None, ends: bool
) -> tuple[dict[str, Spans], dict[str, np.ndarray]]:
    """Return running text as the fields that the task asks for, and the rows of each split."""
    arrays, rows = cut_blocks(parts, text, how, ends)
    return (sentence_pairs(arrays["tokens"], rows) if target_kind == "pairs" else arrays), rows


def sentence_pairs(tokens: Spans, rows: Mapping[str, np.ndarray]) -> dict[str, Spans]:
    """Return fields of which pairs are made: `tokens`, of which the second half follows the first, and `other`, the
    second half of another block of the same split, always the same one.

    Raises: DataError if a split has a single block.
    """
    generator = np.random.Generator(np.random.Philox(key=0))
    elsewhere = np.arange(len(tokens))
    for part, index in rows.items():
        if len(index) == 1:
            raise DataError(
                f"the {part} split has one block of {tokens.length} tokens, and so no other to pair it with"
            )
        step = generator.integers(1, max(2, len(index)), len(index))
        elsewhere[index] = index[(np.arange(len(index)) + step) % max(1, len(index))]
    second = int(tokens.length or 0) // 2
    starts, lengths = tokens.starts[elsewhere] + second, tokens.lengths - second
    return {"tokens": tokens, "other": Spans(tokens.values, starts, lengths)}
