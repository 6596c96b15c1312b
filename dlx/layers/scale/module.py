"""Scaling."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FixedScale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the factor."""
        return x * self.factor


class LearnedScale(nn.Module):
    """LayerScale: learned factors of features that are followed by some trailing axes."""

    def __init__(self, start: float, size: int, trailing: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), start))
        self.trailing = trailing

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the factors."""
        return x * self.weight.view(-1, *[1] * self.trailing)
