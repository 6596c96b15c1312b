"""Attention with linear biases (ALiBi). H heads, T queries, S keys: the queries are the last T of the S steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def alibi_slopes(num_heads: int) -> list[float]:
    """Return one slope for each head: 2^(−8h / H) for a power of two, else those of the two nearest ones, mixed."""
    power = 2 ** math.floor(math.log2(num_heads))
    slopes = [2.0 ** (-8 * (h + 1) / power) for h in range(power)]
    between = [2.0 ** (-8 * (h + 1) / (2 * power)) for h in range(0, 2 * power, 2)]
    return slopes + between[: num_heads - power]


class LinearBias(nn.Module):
    """ALiBi: lowers the score of a key by a slope of the head times its distance from the query."""

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.slopes_H11: Tensor
        self.register_buffer("slopes_H11", torch.tensor(alibi_slopes(num_heads))[:, None, None], persistent=False)

    def forward(self, queries: int, keys: int) -> Tensor:
        """Return (1, H, T, S)."""
        steps_S = torch.arange(keys, device=self.slopes_H11.device)
        distance_TS = (steps_S[keys - queries :, None] - steps_S).abs()
        return -(self.slopes_H11 * distance_TS)[None]
