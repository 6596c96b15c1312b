"""Relative position bias. N heads, T queries, S keys, K buckets."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, past_length


def relative_position_bucket(away: Tensor, buckets: int, distance: int) -> Tensor:
    """Return the bucket of each distance ≥ 0: one distance each in the first half, then logarithmic ranges."""
    single = buckets // 2
    share = torch.log(away.clamp(min=1).float() / single) / math.log(distance / single)
    wide = single + (share * (buckets - single)).long()
    return torch.where(away < single, away, wide.clamp(max=buckets - 1))


class RelativePositionBias(nn.Module):
    """Relative position bias: a learned number for each head and each bucket of distances."""

    takes_context = True

    def __init__(self, num_heads: int, num_buckets: int, max_distance: int, causal: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_buckets, num_heads).normal_(std=0.02))
        self.num_buckets, self.max_distance, self.causal = num_buckets, max_distance, causal

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (1, N, T, S) for the T steps of x and all S steps up to its last."""
        seen = past_length(context)
        keys = seen + x_BTF.shape[1]
        away_TS = torch.arange(seen, keys, device=x_BTF.device).unsqueeze(1) - torch.arange(keys, device=x_BTF.device)
        if self.causal:
            bucket_TS = relative_position_bucket(away_TS.clamp(min=0), self.num_buckets, self.max_distance)
        else:
            half = self.num_buckets // 2
            bucket_TS = relative_position_bucket(away_TS.abs(), half, self.max_distance) + half * (away_TS < 0)
        return self.weight[bucket_TS].permute(2, 0, 1).unsqueeze(0)
