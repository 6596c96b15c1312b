"""Focal loss.   B batch, K classes or labels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.losses._classes_torch import soft


class FocalClasses(nn.Module):
    """Focal loss of one of K classes: a weighted mean by class weights, times a factor a class that is not averaged."""

    weight: torch.Tensor
    factor: torch.Tensor

    def __init__(self, gamma: float, factors: tuple[float, ...] | None, weights: list[float]) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", torch.tensor(weights))
        self.register_buffer("factor", torch.tensor(factors or [1.0] * len(weights)))

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weight_BK = soft(output_BK, target) * self.weight
        log_p_BK = F.log_softmax(output_BK, 1)
        return -(weight_BK * self.factor * fade(log_p_BK, self.gamma) * log_p_BK).sum() / weight_BK.sum()


class FocalLabels(nn.Module):
    """Focal loss of each label on its own, averaged over all."""

    weight: torch.Tensor

    def __init__(self, gamma: float, absent: float, present: float, positive_weights: list[float]) -> None:
        super().__init__()
        self.gamma, self.absent, self.present = gamma, absent, present
        self.register_buffer("weight", torch.tensor(positive_weights))

    def forward(self, output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        yes_BK, no_BK = F.logsigmoid(output_BK), F.logsigmoid(-output_BK)
        present_BK = self.present * self.weight * target_BK * fade(yes_BK, self.gamma) * yes_BK
        absent_BK = self.absent * (1 - target_BK) * fade(no_BK, self.gamma) * no_BK
        return -(present_BK + absent_BK).mean()


def fade(log_p: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return (1 − p)^gamma; the floor keeps its slope finite where p rounds to 1 and gamma < 1."""
    tiny = torch.finfo(log_p.dtype).tiny
    return (-torch.expm1(log_p)).clamp(min=tiny).pow(gamma)
