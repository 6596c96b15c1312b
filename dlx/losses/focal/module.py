"""Focal loss.   B batch, K classes or labels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.losses._targets_torch import class_probabilities


class FocalClasses(nn.Module):
    """Focal loss of one of K classes: the mean weighted by class, times an alpha a class that does not normalize it."""

    weight: torch.Tensor
    alpha: torch.Tensor

    def __init__(self, gamma: float, alphas: list[float], class_weight: list[float]) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", torch.tensor(class_weight))
        self.register_buffer("alpha", torch.tensor(alphas))

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weight_BK = class_probabilities(output_BK, target) * self.weight
        log_p_BK = F.log_softmax(output_BK, 1)
        return -(weight_BK * self.alpha * focus(log_p_BK, self.gamma) * log_p_BK).sum() / weight_BK.sum()


class FocalLabels(nn.Module):
    """Focal loss of each label on its own, averaged over all."""

    pos_weight: torch.Tensor

    def __init__(self, gamma: float, negative: float, positive: float, pos_weight: list[float]) -> None:
        super().__init__()
        self.gamma, self.negative, self.positive = gamma, negative, positive
        self.register_buffer("pos_weight", torch.tensor(pos_weight))

    def forward(self, output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        log_p_BK, log_q_BK = F.logsigmoid(output_BK), F.logsigmoid(-output_BK)
        positive_BK = self.positive * self.pos_weight * target_BK * focus(log_p_BK, self.gamma) * log_p_BK
        negative_BK = self.negative * (1 - target_BK) * focus(log_q_BK, self.gamma) * log_q_BK
        return -(positive_BK + negative_BK).mean()


def focus(log_p: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return (1 − p)^gamma; the floor keeps its slope finite where p rounds to 1 and gamma < 1."""
    tiny = torch.finfo(log_p.dtype).tiny
    return (-torch.expm1(log_p)).clamp(min=tiny).pow(gamma)
