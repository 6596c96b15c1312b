from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class BLEU(Metric):
    """How many of the runs of one to four words that are written stand in the reference, over a whole split.

    The geometric mean of the four precisions, times exp(1 − r/c) if what is written (c words) is shorter than the
    references (r words). Both are decoded from tokens first: of words that the tokenizer does not know nothing is left
    in either, so that figures compare with others' only where the tokenizer knows all, as bpe on bytes does.

    Shapes:  lists of tokens and lists of tokens.
    Units:   0 … 100.
    Source:  Papineni et al. 2002 (ACL); sacrebleu: Post 2018, arXiv:1804.08771.

    Example:
        {type: bleu, lowercase: true}
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("tokens",)
    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    type: Literal["bleu"] = "bleu"
    lowercase: bool = False
    """Whether letters are made small first."""
    tokenize: Literal["13a", "intl", "char", "none"] = "13a"
    """How sacrebleu cuts text into words."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.bleu.module import CorpusBLEU
        from dlx.tokenizers import restore

        return CorpusBLEU(restore(facts.tokenizers["target"]), self.lowercase, self.tokenize)
