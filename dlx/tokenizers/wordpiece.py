from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.tokenizers import SPECIAL, UNK, Codec, Tokenizer


class WordPiece(Tokenizer):
    """WordPiece tokenizer: frequent words are single tokens, others are split into pieces with the prefix ##.

    A word is cut greedily into the longest pieces that are known, from the left. A word with a character that the train
    split lacks is unknown. Decoding does not restore spaces exactly. BERT's tokenizer.

    Source:  Schuster & Nakajima 2012; Devlin et al. 2019, arXiv:1810.04805; the `tokenizers` library.

    Example:
        {type: wordpiece, vocab_size: 4000}
    """

    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("tokenizers",)
    type: Literal["wordpiece"] = "wordpiece"
    vocab_size: int = Field(8000, gt=len(SPECIAL))
    """Largest size of the vocabulary, special tokens included."""
    min_frequency: int = Field(2, ge=1)
    """Pairs that are rarer are not joined."""
    lowercase: bool = True
    """Whether text is lowercased, and accents are stripped, first."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        from tokenizers import models, trainers

        from dlx.tokenizers._library import LibraryCodec, train_library_codec

        tokenizer = self._wrap_model(models.WordPiece(unk_token=SPECIAL[UNK]))
        letters = sorted({c for text in texts for c in set(text)})
        later = [f"##{c}" for c in sorted(set("".join(map(tokenizer.normalizer.normalize_str, letters)))) if c.strip()]
        trainer = trainers.WordPieceTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_frequency,
            special_tokens=[*SPECIAL, *later],  # numbered here, or equally frequent pairs are joined in random order
            show_progress=False,
        )
        pieces = sorted(set(train_library_codec(tokenizer, trainer, texts, self.type).tokens) - set(SPECIAL))
        vocabulary = {piece: i for i, piece in enumerate([*SPECIAL, *pieces])}
        return LibraryCodec(self._wrap_model(models.WordPiece(vocabulary, unk_token=SPECIAL[UNK])))

    def _wrap_model(self, model: Any) -> Any:
        from tokenizers import Tokenizer as Base
        from tokenizers import decoders, normalizers, pre_tokenizers

        tokenizer = Base(model)
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=self.lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        return tokenizer

    def restore(self, state: Mapping[str, Any]) -> Codec:
        from dlx.tokenizers._library import restore_library_codec

        return restore_library_codec(state)
