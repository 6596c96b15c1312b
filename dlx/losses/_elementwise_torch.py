"""Losses of positions: pixels of masks, steps of sequences.   B batch, K classes, N positions of all samples."""

from __future__ import annotations

import torch
from torch import nn

from dlx.nn.ignored import drop_ignored


class ElementwiseLoss(nn.Module):
    """A loss of samples (N, K), taken over every position of (B, K, …) that has a class."""

    def __init__(self, loss: nn.Module, ignored: bool) -> None:
        super().__init__()
        self.loss, self.ignored = loss, ignored

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        output_NK, target_N = output.movedim(1, -1).flatten(0, -2), target.flatten()
        if self.ignored:
            output_NK, target_N = drop_ignored(output_NK, target_N)
            if not len(target_N):
                return output.sum() * 0
        return self.loss(output_NK, target_N)  # type: ignore[no-any-return]
