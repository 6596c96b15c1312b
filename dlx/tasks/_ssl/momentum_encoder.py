"""Copies of networks that learn nothing themselves: one that stays as it was, or one that follows."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Sequential):
    """A copy of modules that stand one after the other; its weights take no gradient and belong to the state."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__(*(copy.deepcopy(module) for module in modules))
        self.requires_grad_(False)

    @torch.no_grad()
    def follow(self, modules: Sequence[nn.Module], kept: float) -> None:
        """Move the weights toward those of the modules: c ← kept · c + (1 − kept) · w.

        Running statistics are the copy's own: it sees batches of its own.
        """
        mine: list[Tensor] = list(self.parameters())
        followed: list[Tensor] = [weight for module in modules for weight in module.parameters()]
        torch._foreach_lerp_(mine, followed, 1 - kept)
