from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.tokenizers import SPECIAL, UNK, Codec, Tokenizer

STEP = 0.0001
DIGITS = 6


class Unigram(Tokenizer):
    """Unigram tokenizer: starts with many pieces and removes those that reduce the likelihood of the text least.

    A text is cut in its most probable way. A space belongs to the piece after it (▁piece). SentencePiece's tokenizer,
    used by T5; good where words have many endings.

    Source:  Kudo 2018, arXiv:1804.10959; the `tokenizers` library.

    Example:
        {type: unigram, vocab_size: 4000}
    """

    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("tokenizers",)
    type: Literal["unigram"] = "unigram"
    vocab_size: int = Field(8000, gt=2 * len(SPECIAL))
    """Largest size of the vocabulary, special tokens included."""
    lowercase: bool = False
    """Whether text is lowercased first."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        from tokenizers import models, trainers

        from dlx.tokenizers._library import LibraryCodec, train_library_codec

        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocab_size - len(SPECIAL),
            special_tokens=[SPECIAL[UNK]],  # any other would be a piece that a text can spell
            unk_token=SPECIAL[UNK],
            show_progress=False,
        )
        state = train_library_codec(self._wrap_model(models.Unigram()), trainer, texts, self.type).state()
        (unknown, *pieces) = state["json"]["model"]["vocab"]
        return LibraryCodec(
            self._wrap_model(models.Unigram([tuple(unknown), *sorted(_reproducible(pieces))], unk_id=0))
        )

    def _wrap_model(self, model: Any) -> Any:
        from tokenizers import Tokenizer as Base
        from tokenizers import decoders, normalizers, pre_tokenizers

        tokenizer = Base(model)
        lower = [normalizers.Lowercase()] if self.lowercase else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), *lower])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        return tokenizer

    def restore(self, state: Mapping[str, Any]) -> Codec:
        from dlx.tokenizers._library import restore_library_codec

        return restore_library_codec(state)


def _reproducible(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the pieces with scores that are the same whenever the same texts are learned.

    The library sums in random order, and ranks the characters that are kept only so that every word can be cut by
    tiny steps above the lowest score, again in random order.
    """
    letters = sum(len(piece) == 1 for piece, _ in pieces)
    lowest = min(score for _, score in pieces)
    kept = lowest + STEP * (letters + 1)
    level = [(piece, lowest if len(piece) == 1 and score < kept else score) for piece, score in pieces]
    return [(piece, round(score, DIGITS)) for piece, score in level]
