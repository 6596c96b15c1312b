"""Radial basis functions. K prototypes, F features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RadialBasis(nn.Module):
    """Negative squared distance to each of K prototypes, which are learned unless they are given."""

    weight: Tensor

    def __init__(self, prototypes: int, features: int, given: Sequence[Sequence[float]] | None = None) -> None:
        super().__init__()
        if given is None:
            self.weight = nn.Parameter(torch.randn(prototypes, features))
        else:
            self.register_buffer("weight", torch.tensor(given, dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, F) to (…, K)."""
        return -(x.unsqueeze(-2) - self.weight).square().sum(-1)
