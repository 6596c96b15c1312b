"""Momentum encoder: a copy of a network that learns nothing itself, but follows it slowly, or stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Sequential):
    """A copy of modules that are applied in order; its weights take no gradient and belong to the state."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__(*(copy.deepcopy(module) for module in modules))
        self.requires_grad_(False)

    @torch.no_grad()
    def update(self, modules: Sequence[nn.Module], momentum: float) -> None:
        """Move the weights toward those of the modules: c ← momentum · c + (1 − momentum) · w.

        Running statistics are the copy's own: it sees batches of its own.
        """
        own: list[Tensor] = list(self.parameters())
        followed: list[Tensor] = [weight for module in modules for weight in module.parameters()]
        torch._foreach_lerp_(own, followed, 1 - momentum)
