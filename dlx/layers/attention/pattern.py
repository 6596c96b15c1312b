"""Attention masks: causal, sliding window, strided. T queries, S keys: the queries are the last T of the S steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AttentionPattern:
    """Attention pattern: causal hides later steps; window, all that far away or farther, except multiples of stride."""

    causal: bool = False
    window: int | None = None
    stride: int | None = None

    def is_causal_only(self, queries: int, keys: int) -> bool:
        """Return whether the pattern is the causal one, for which torch's kernels need no mask."""
        return self.causal and queries == keys and (self.window is None or self.window >= keys)

    def mask(self, queries: int, keys: int, device: torch.device) -> Tensor | None:
        """Return the attention mask (T, S), true where a query attends to a key; None if to all."""
        if not (self.causal and queries > 1) and (self.window is None or self.window >= keys):
            return None
        q_T1 = torch.arange(keys - queries, keys, device=device).unsqueeze(1)
        away_TS = q_T1 - torch.arange(keys, device=device)
        near_TS = away_TS >= 0 if self.causal else torch.ones_like(away_TS, dtype=torch.bool)
        if self.window is None:
            return near_TS
        reach_TS = away_TS.abs() < self.window
        if self.stride is not None:
            reach_TS = reach_TS | (away_TS % self.stride == 0)
        return near_TS & reach_TS
