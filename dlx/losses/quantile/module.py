"""Pinball loss.   B batch, K targets, Q quantiles."""

from __future__ import annotations

import torch
from torch import nn


class PinballLoss(nn.Module):
    """mean max(q d, (q − 1) d) with d = target − output, over targets and quantiles."""

    quantiles: torch.Tensor

    def __init__(self, quantiles: list[float]) -> None:
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))

    def forward(self, output_BKQ: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        output_BKQ = output_BKQ.unflatten(1, (-1, len(self.quantiles)))
        error_BKQ = target_BK[:, :, None] - output_BKQ
        return torch.maximum(self.quantiles * error_BKQ, (self.quantiles - 1) * error_BKQ).mean()
