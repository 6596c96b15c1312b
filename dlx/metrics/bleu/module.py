"""BLEU of a whole split, from counts that add up over batches and processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchmetrics
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor

from dlx.tokenizers import Codec

ORDERS = 4


class CorpusBLEU(torchmetrics.Metric):
    """sacrebleu's corpus BLEU of decoded tokens."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    right: Tensor
    total: Tensor
    lengths: Tensor

    def __init__(self, codec: Codec, lowercase: bool, tokenize: str) -> None:
        super().__init__()
        self.codec = codec
        self.bleu = BLEU(lowercase=lowercase, tokenize=tokenize)
        for name, size in (("right", ORDERS), ("total", ORDERS), ("lengths", 2)):
            self.add_state(name, torch.zeros(size, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, written: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> None:
        """Add a batch."""
        said, true = ([self.codec.decode([int(i) for i in ids]) for ids in texts] for texts in (written, wanted))
        score = self.bleu.corpus_score(said, [true])
        self.right += self.right.new_tensor(score.counts)
        self.total += self.total.new_tensor(score.totals)
        self.lengths += self.lengths.new_tensor([score.sys_len, score.ref_len])

    def compute(self) -> Tensor:
        """Return BLEU of all batches."""
        written, wanted = self.lengths.tolist()
        score = BLEU.compute_bleu(self.right.tolist(), self.total.tolist(), written, wanted, smooth_method="exp")
        return torch.tensor(score.score)
