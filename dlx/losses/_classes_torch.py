"""Class indices as vectors, for losses that compare vectors.   B batch, K classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.errors import RunError


class OneHotTarget(nn.Module):
    """A loss of two (B, K) tensors that also takes class indices (B,) as its target."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.loss(output_BK, soft(output_BK, target))  # type: ignore[no-any-return]


def soft(output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return class indices (B,) as one-hot rows of the output's dtype, and probabilities (B, K) as they are."""
    if target.ndim == output_BK.ndim:
        return target.to(output_BK.dtype)
    return F.one_hot(target, output_BK.shape[1]).to(output_BK.dtype)


def hard(target: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the target if it is class indices (B,). Raises: RunError where it is probabilities."""
    if target.ndim > 1:
        raise RunError(f"{loss} needs one class a sample, but gets probabilities (mixup, cutmix?); use cross_entropy")
    return target
