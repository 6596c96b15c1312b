from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class BLEU(Metric):
    """BLEU: the n-gram precision of generated texts against the references, for n from 1 to 4, over a whole split.

    The geometric mean of the four precisions, times the brevity penalty exp(1 − r/c) if the generated texts (c words)
    are shorter than the references (r words). Both are decoded from tokens first: words that the tokenizer does not
    know are lost in both, so that figures compare with others' only where the tokenizer knows all, as bpe on bytes
    does.

    Shapes:  lists of tokens and lists of tokens.
    Units:   0 … 100.
    Source:  Papineni et al. 2002 (ACL); sacrebleu: Post 2018, arXiv:1804.08771.

    Example:
        {type: bleu, lowercase: true}
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("tokens",)
    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    type: Literal["bleu"] = "bleu"
    lowercase: bool = False
    """Whether texts are lowercased first."""
    tokenize: Literal["13a", "intl", "char", "none"] = "13a"
    """Which of sacrebleu's tokenizers splits texts into words."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.bleu.module import CorpusBLEU
        from dlx.tokenizers import restore

        return CorpusBLEU(restore(facts.tokenizers["target"]), self.lowercase, self.tokenize)
