"""Corpus BLEU, from counts that add up over batches and processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchmetrics
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor

from dlx.tokenizers import Codec

MAX_NGRAM_ORDER = 4


class CorpusBLEU(torchmetrics.Metric):
    """sacrebleu's corpus BLEU of decoded tokens."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    matches: Tensor
    total: Tensor
    lengths: Tensor

    def __init__(self, codec: Codec, lowercase: bool, tokenize: str) -> None:
        super().__init__()
        self.codec = codec
        self.bleu = BLEU(lowercase=lowercase, tokenize=tokenize)
        for name, size in (("matches", MAX_NGRAM_ORDER), ("total", MAX_NGRAM_ORDER), ("lengths", 2)):
            self.add_state(name, torch.zeros(size, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, generated: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> None:
        """Add a batch."""
        hypotheses, truths = ([self._text(ids) for ids in texts] for texts in (generated, references))
        score = self.bleu.corpus_score(hypotheses, [truths])
        self.matches += self.matches.new_tensor(score.counts)
        self.total += self.total.new_tensor(score.totals)
        self.lengths += self.lengths.new_tensor([score.sys_len, score.ref_len])

    def compute(self) -> Tensor:
        """Return BLEU of all batches."""
        generated, reference = self.lengths.tolist()
        score = BLEU.compute_bleu(self.matches.tolist(), self.total.tolist(), generated, reference, smooth_method="exp")
        return torch.tensor(score.score)

    def _text(self, ids: Sequence[int]) -> str:
        return self.codec.decode([int(token) for token in ids])
