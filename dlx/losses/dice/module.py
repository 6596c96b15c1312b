"""Dice loss of areas.   B batch, K classes, N pixels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class DiceLoss(nn.Module):
    """mean 1 − (2 Σ p y + s) / (Σ p + Σ y + s) over images and classes that count, plus cross-entropy."""

    def __init__(self, cross_entropy_weight: float, smooth: float, include_background: bool) -> None:
        super().__init__()
        self.cross_entropy_weight, self.smooth = cross_entropy_weight, smooth
        self.first = 0 if include_background else 1

    def forward(self, output_BKN: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        hard = target.ndim < output_BKN.ndim
        true_BKN = F.one_hot(target, output_BKN.shape[1]).movedim(-1, 1) if hard else target
        p_BKN = output_BKN.softmax(1).reshape(*output_BKN.shape[:2], -1)[:, self.first :]
        y_BKN = true_BKN.to(p_BKN.dtype).reshape(*output_BKN.shape[:2], -1)[:, self.first :]
        overlap_BK = 2 * (p_BKN * y_BKN).sum(2) + self.smooth
        loss = 1 - (overlap_BK / (p_BKN.sum(2) + y_BKN.sum(2) + self.smooth)).mean()
        if not self.cross_entropy_weight:
            return loss
        return loss + self.cross_entropy_weight * F.cross_entropy(output_BKN, target)
