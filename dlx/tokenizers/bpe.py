from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.tokenizers import SPECIAL, Codec, Tokenizer


class BPE(Tokenizer):
    """Byte-pair encoding: starts from the 256 bytes and repeatedly merges the most frequent pair of tokens.

    Because it begins with bytes, no text is unknown, and decoding gives back every text as it was. The usual choice for
    language models and translation.

    Source:  Sennrich et al. 2016, arXiv:1508.07909; bytes and spaces as in GPT-2; the `tokenizers` library.

    Example:
        {type: bpe, vocab_size: 4000}
    """

    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("tokenizers",)
    type: Literal["bpe"] = "bpe"
    vocab_size: int = Field(8000, ge=260)
    """How many tokens there are at most, bytes and special ones included."""
    min_frequency: int = Field(2, ge=1)
    """Pairs that are rarer are not joined."""
    lowercase: bool = False
    """Whether text is lowercased first."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        from tokenizers import Tokenizer as Base
        from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

        from dlx.tokenizers._library import train_library_codec

        tokenizer = Base(models.BPE())
        if self.lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_frequency,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        return train_library_codec(tokenizer, trainer, texts, self.type)

    def restore(self, state: Mapping[str, Any]) -> Codec:
        from dlx.tokenizers._library import restore_library_codec

        return restore_library_codec(state)
