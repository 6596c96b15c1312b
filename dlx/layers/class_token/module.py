"""Class token. B batch, T time, F features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PrependClassToken(nn.Module):
    """Puts a learned vector before the first step."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(features).normal_(std=0.02))

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return one step more."""
        return torch.cat([self.token.expand(x_BTF.shape[0], 1, -1).to(x_BTF.dtype), x_BTF], dim=1)
