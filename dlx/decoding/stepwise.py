"""Stepwise decoding with a cache: the logits of the next token from the tokens that are new. B texts, T steps,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlx.nn.context import Cache

Forward = Callable[[Tensor, Cache], Tensor]
"""Logits (B, T, V) of the token after each of those that are new, (B, T); a cache holds those before (KV cache)."""


class StepwiseDecoder:
    """Returns the logits of the next token, given the tokens that are new.

    context_length  the most steps that the network can look back; where they are full, it goes on from the newer half
                    of them. None: as many as there are
    """

    def __init__(self, forward: Forward, context_length: int | None = None) -> None:
        self.forward, self.context_length = forward, context_length
        self.cache = Cache()
        self.recent_BT: Tensor | None = None

    def __call__(self, new_BT: Tensor) -> Tensor:
        """Return the logits (B, V)."""
        if self.context_length is not None:
            new_BT = self._fit_context(new_BT, self.context_length)
        logits_BTV = self.forward(new_BT, self.cache)
        self.cache.advance(new_BT.shape[1])
        return logits_BTV[:, -1].float()

    def reorder(self, index_B: Tensor) -> None:
        """Let each text go on from the one whose index it is given."""
        self.cache.reorder(index_B)
        self.recent_BT = None if self.recent_BT is None else self.recent_BT[index_B]

    def _fit_context(self, new_BT: Tensor, length: int) -> Tensor:
        """Return the tokens to read: the new ones, or where those are too many, the last ones with an empty cache."""
        recent_BT = new_BT if self.recent_BT is None else torch.cat([self.recent_BT, new_BT], 1)
        self.recent_BT = recent_BT[:, -length:]
        if self.cache.length + new_BT.shape[1] <= length:
            return new_BT
        is_first = self.cache.length == 0
        self.cache = Cache()
        return recent_BT[:, -length:] if is_first else recent_BT[:, -(length // 2 or 1) :]
