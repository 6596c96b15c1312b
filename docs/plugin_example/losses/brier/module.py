"""The Brier score. B batch, K classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class BrierScore(nn.Module):
    """Mean over the batch of Σ_k (p_k − y_k)²."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, output_BK: Tensor, target: Tensor) -> Tensor:
        """Compare the softmax of the output with indices (B,) or probabilities (B, K)."""
        target_BK = target if target.is_floating_point() else F.one_hot(target, self.classes).to(output_BK.dtype)
        return (output_BK.softmax(1) - target_BK).square().sum(1).mean()
