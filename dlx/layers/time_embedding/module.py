"""Sinusoidal time embedding. B batch, F features, H half of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dlx.nn.context import Context

MAX_PERIOD = 10_000.0  # the wavelengths span this factor


class SinusoidalTimeEmbedding(nn.Module):
    """Sinusoidal embedding of the time of the context: sines, then cosines, of many rates."""

    takes_context = True

    def __init__(self, features: int) -> None:
        super().__init__()
        steps_H = torch.arange(features // 2, dtype=torch.float32)
        rates_H = torch.exp(-math.log(MAX_PERIOD) * steps_H / max(features // 2 - 1, 1))
        self.register_buffer("rates_H", rates_H, persistent=False)
        self.rates_H: Tensor

    def forward(self, x: Any, context: Context | None = None) -> Tensor:
        """Return (B, F)."""
        assert context is not None
        angles_BH = context["time"].unsqueeze(1) * self.rates_H
        return torch.cat([angles_BH.sin(), angles_BH.cos()], dim=1)
