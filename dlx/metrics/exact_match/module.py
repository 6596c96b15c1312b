"""Texts that are right as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchmetrics
from torch import Tensor


class Matches(torchmetrics.Metric):
    """The share of texts whose tokens are all right."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    right: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, written: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> None:
        """Add a batch."""
        self.right += sum(_ids(one) == _ids(other) for one, other in zip(written, wanted, strict=True))
        self.count += len(wanted)

    def compute(self) -> Tensor:
        """Return the share of all batches."""
        return self.right / self.count


def _ids(text: Sequence[int]) -> list[int]:
    return [int(token) for token in text]
