"""Classification targets: class indices, or one-hot rows and probabilities.   B batch, K classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.errors import RunError
from dlx.facts import IGNORED


class OneHotTarget(nn.Module):
    """One-hot encoding of the target, in front of a loss of two (B, K) tensors."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.loss(output_BK, class_probabilities(output_BK, target))  # type: ignore[no-any-return]


def class_probabilities(output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return class indices (B,) as one-hot rows of the output's dtype, and probabilities (B, K) as they are."""
    if target.ndim == output_BK.ndim:
        return target.to(output_BK.dtype)
    return F.one_hot(target, output_BK.shape[1]).to(output_BK.dtype)


def total_weight(target: torch.Tensor, weights: list[float] | None) -> torch.Tensor | int:
    """Return the sum of the weights of targets: of class indices (B, …) that are not ignored, or of rows (B, K)."""
    if target.is_floating_point():
        return len(target) if weights is None else (target @ target.new_tensor(weights)).sum()
    known_N = target[target != IGNORED]
    return len(known_N) if weights is None else torch.tensor(weights, device=target.device)[known_N].sum()


def class_indices(target: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the target if it is class indices (B,). Raises: RunError where it is probabilities."""
    if target.ndim > 1:
        raise RunError(f"{loss} needs one class a sample, but gets probabilities (mixup, cutmix?); use cross_entropy")
    return target
