"""Dice loss of areas.   B batch, K classes, N pixels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.facts import IGNORED


class DiceLoss(nn.Module):
    """mean 1 − (2 Σ p y + s) / (Σ p + Σ y + s) over images and classes that count, plus cross-entropy.

    Pixels without a class are in no sum.
    """

    def __init__(self, cross_entropy_weight: float, smooth: float, include_background: bool) -> None:
        super().__init__()
        self.cross_entropy_weight, self.smooth = cross_entropy_weight, smooth
        self.first = 0 if include_background else 1

    def forward(self, output_BKN: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        p_BKN, y_BKN = output_BKN.softmax(1), target
        if target.ndim < output_BKN.ndim:
            known_B1N = (target != IGNORED)[:, None]
            y_BKN = F.one_hot(target.clamp(min=0), output_BKN.shape[1]).movedim(-1, 1) * known_B1N
            p_BKN = p_BKN * known_B1N
        p_BKN, y_BKN = (x.to(p_BKN.dtype).reshape(*x.shape[:2], -1)[:, self.first :] for x in (p_BKN, y_BKN))
        overlap_BK = 2 * (p_BKN * y_BKN).sum(2) + self.smooth
        loss = 1 - (overlap_BK / (p_BKN.sum(2) + y_BKN.sum(2) + self.smooth)).mean()
        if not self.cross_entropy_weight:
            return loss
        return loss + self.cross_entropy_weight * cross_entropy_of_images(output_BKN, target)


def cross_entropy_of_images(output_BKN: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean over images of the mean cross-entropy of their pixels."""
    losses_BN = F.cross_entropy(output_BKN, target, reduction="none").reshape(len(output_BKN), -1)
    if target.ndim == output_BKN.ndim:
        return losses_BN.mean()
    known_B = (target != IGNORED).reshape(losses_BN.shape).sum(1)
    return (losses_BN.sum(1) / known_B.clamp(min=1)).mean()
