"""Rotary position embedding (RoPE). B batch, H heads, T time, D features of a head, P pairs (D / 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RotaryEmbedding(nn.Module):
    """Rotary position embedding: rotates the pair (i, i + D/2) of a head at step t by the angle t · base^(−2i/D)."""

    def __init__(self, size: int, base: float) -> None:
        super().__init__()
        self.rates_P: Tensor
        self.register_buffer("rates_P", base ** (-torch.arange(0, size, 2) / size), persistent=False)

    def forward(self, x_BHTD: Tensor, first: int) -> Tensor:
        """Return x rotated; `first` is the position of its first step."""
        cos_TD, sin_TD = self._cos_sin(first, first + x_BHTD.shape[2], x_BHTD)
        a_BHTP, b_BHTP = x_BHTD.chunk(2, dim=-1)
        turned_BHTD = torch.cat([-b_BHTP, a_BHTP], dim=-1)
        return x_BHTD * cos_TD + turned_BHTD * sin_TD

    def _cos_sin(self, first: int, end: int, x: Tensor) -> tuple[Tensor, Tensor]:
        steps_T1 = torch.arange(first, end, device=x.device, dtype=torch.float32).unsqueeze(1)
        angles_TP = steps_T1 * self.rates_P.float()
        angles_TD = torch.cat([angles_TP, angles_TP], dim=-1)
        return angles_TD.cos().to(x.dtype), angles_TD.sin().to(x.dtype)
