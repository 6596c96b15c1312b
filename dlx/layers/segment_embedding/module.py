"""Segment embedding. B batch, T time, F features, K segments."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlx.nn.context import Context


class SegmentTable(nn.Module):
    """Adds the vector of each step's segment."""

    takes_context = True

    def __init__(self, num_segments: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_segments, features).normal_(std=0.02))

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return x with the vector of its segment added to every step."""
        segment_BT = (context or {}).get("segment")
        return x_BTF + (self.weight[0] if segment_BT is None else self.weight[segment_BT])
