"""Cross-entropy of yes and no.   B batch, K labels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.losses._classes_torch import soft


class LabelsCrossEntropy(nn.Module):
    """Binary cross-entropy of each label on its own."""

    weight: torch.Tensor | None

    def __init__(self, smoothing: float, positive_weights: list[float] | None) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", None if positive_weights is None else torch.tensor(positive_weights))

    def forward(self, output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        target_BK = smooth(target_BK.to(output_BK.dtype), self.smoothing)
        return F.binary_cross_entropy_with_logits(output_BK, target_BK, pos_weight=self.weight)


class TwoClassesCrossEntropy(nn.Module):
    """Binary cross-entropy of the second class's lead over the first; a weighted mean where classes have weights."""

    weight: torch.Tensor

    def __init__(self, smoothing: float, class_weights: list[float] | None) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", torch.tensor(class_weights or [1.0, 1.0]))

    def forward(self, output_B2: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        lead_B = output_B2[:, 1] - output_B2[:, 0]
        target_B2 = soft(output_B2, target)
        weight_B2 = self.weight * smooth(target_B2, self.smoothing)
        loss_B = -weight_B2[:, 1] * F.logsigmoid(lead_B) - weight_B2[:, 0] * F.logsigmoid(-lead_B)
        return loss_B.sum() / (self.weight * target_B2).sum()


def smooth(target: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return 0/1 targets pulled towards one half."""
    return target * (1 - smoothing) + smoothing / 2
