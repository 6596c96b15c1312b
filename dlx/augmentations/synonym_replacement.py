from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import PrivateAttr

from dlx.augmentations._images import Change, keep_target
from dlx.augmentations._tokens import TokenAugmentation
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import path_from, read_text_file, split_lines
from dlx.tensors import TensorSpec
from dlx.tokenizers import SPECIAL, Codec, restore

if TYPE_CHECKING:
    from torch import Tensor


class SynonymReplacement(TokenAugmentation):
    """Synonym replacement: replaces random words of a text by synonyms.

    The thesaurus is a text file: each line holds words of one meaning, separated by commas. Only words that are one
    token take part; with a tokenizer of subwords these are the frequent ones.

    Shapes:  (T,) tokens, kept.
    Raises:  ShapeError if the input is not text; DataError if the file is absent, a line holds a single word, or no two
             of its words are tokens.
    Source:  Zhang et al. 2015, arXiv:1509.01626, section 4.2; Wei & Zou 2019, arXiv:1901.11196.

    Example:
        {type: synonym_replacement, thesaurus: thesaurus.txt, fraction: 0.2}
    """

    primary: ClassVar[str] = "thesaurus"
    keeps_masks: ClassVar[bool] = True
    type: Literal["synonym_replacement"] = "synonym_replacement"
    thesaurus: str
    """File with words of one meaning in each line, relative to the recipe."""

    _synonyms: dict[int, list[int]] = PrivateAttr(default_factory=dict)

    def fit(self, facts: DataFacts, base: Path) -> Self:
        codec = restore(facts.tokenizers[facts.inputs[0]])
        found: dict[int, set[int]] = {}
        for words in self._lines(path_from(base, self.thesaurus)):
            for ids in _as_tokens(words, codec):
                for token in ids:
                    found.setdefault(token, set()).update(ids - {token})
        synonyms = {token: sorted(others) for token, others in found.items() if others}
        if not synonyms:
            raise DataError(f"{self.thesaurus}: no line holds two words that are tokens of these data")
        copy = self.model_copy()
        copy._synonyms = synonyms
        return copy

    def build(self, x: TensorSpec, classes: int) -> Change:
        import torch

        self.validate_input(x)
        group_V = torch.full((x.vocab[0],), -1)
        group_V[list(self._synonyms)] = torch.arange(len(self._synonyms))
        widest = max(map(len, self._synonyms.values()))
        choices_GK = torch.tensor([[*others, *[0] * (widest - len(others))] for others in self._synonyms.values()])
        count_G = torch.tensor([len(others) for others in self._synonyms.values()])

        def change_tokens(tokens: Tensor) -> Tensor:
            from dlx.augmentations._random import sample_mask
            from dlx.augmentations._tokens_torch import replace_tokens

            tables = [table.to(tokens.device) for table in (group_V, choices_GK, count_G)]
            return tokens.where(~sample_mask(tokens, self.p), replace_tokens(tokens, self.fraction, *tables))

        return keep_target(change_tokens)

    def _lines(self, file: Path) -> Iterator[list[str]]:
        for number, line in enumerate(split_lines(read_text_file(file, "utf-8")), 1):
            words = [word.strip() for word in line.split(",") if word.strip()]
            if len(words) == 1:
                raise DataError(f"{file}:{number}: '{words[0]}' stands alone; a line holds words of one meaning")
            yield words


def _as_tokens(words: list[str], codec: Codec) -> Iterator[set[int]]:
    """Yield the ids of those words that are one token: at the beginning of a text, and after a space."""
    for before in ("", " "):
        ids = codec.encode([before + word for word in words])
        yield {int(i[0]) for i in ids if len(i) == 1 and i[0] >= len(SPECIAL)}
