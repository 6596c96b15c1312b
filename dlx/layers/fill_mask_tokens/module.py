"""Mask tokens. B batch, T time, F features, S visible steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlx.nn.context import Context


class MaskTokenFill(nn.Module):
    """Puts visible steps at the indices `visible`, (B, S), and a learned vector everywhere else."""

    takes_context = True

    def __init__(self, steps: int, features: int) -> None:
        super().__init__()
        self.steps = steps
        self.token = nn.Parameter(torch.empty(features).normal_(std=0.02))

    def forward(self, x_BSF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, F); x where nothing is masked."""
        index_BS = (context or {}).get("visible")
        if index_BS is None:
            index_BS = torch.arange(x_BSF.shape[1], device=x_BSF.device).expand(x_BSF.shape[0], -1)
        full_BTF = self.token.to(x_BSF.dtype).expand(x_BSF.shape[0], self.steps, -1)
        return full_BTF.scatter(1, index_BS.unsqueeze(-1).expand_as(x_BSF), x_BSF)
