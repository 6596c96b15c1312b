"""Step functions with a straight-through estimator of the gradient, as their own is zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _StraightThrough(torch.autograd.Function):
    """Straight-through estimator: `level` in the forward pass, the gradient of the identity where |x| ≤ 1."""

    @staticmethod
    def forward(x: Tensor, level: Tensor, passes: bool) -> Tensor:
        return level.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        x, _, passes = inputs
        ctx.save_for_backward(x.abs() <= 1 if passes else torch.zeros_like(x, dtype=torch.bool))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (open_,) = ctx.saved_tensors
        return gradient * open_, None, None


class Threshold(nn.Module):
    """Step function: 1 where x ≥ 0, else `below`."""

    def __init__(self, below: float, straight_through: bool) -> None:
        super().__init__()
        self.below = below
        self.straight_through = straight_through

    def forward(self, x: Tensor) -> Tensor:
        """Return one of two levels for each element."""
        level = torch.where(x >= 0, 1.0, self.below).to(x.dtype)
        thresholded: Tensor = _StraightThrough.apply(x, level, self.straight_through)
        return thresholded
