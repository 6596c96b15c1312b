"""Exact match of whole texts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchmetrics
from torch import Tensor


class ExactMatchRate(torchmetrics.Metric):
    """The fraction of texts whose tokens are all right."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    matches: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("matches", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, generated: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> None:
        """Add a batch."""
        self.matches += sum(_ids(one) == _ids(other) for one, other in zip(generated, references, strict=True))
        self.count += len(references)

    def compute(self) -> Tensor:
        """Return the fraction over all batches."""
        return self.matches / self.count


def _ids(text: Sequence[int]) -> list[int]:
    return [int(token) for token in text]
