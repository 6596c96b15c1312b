"""Binary cross-entropy with logits.   B batch, K labels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dlx.losses._targets_torch import class_probabilities


class LabelsCrossEntropy(nn.Module):
    """Binary cross-entropy of each label on its own."""

    pos_weight: torch.Tensor | None

    def __init__(self, label_smoothing: float, pos_weight: list[float] | None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("pos_weight", None if pos_weight is None else torch.tensor(pos_weight))

    def forward(self, output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        target_BK = smooth_labels(target_BK.to(output_BK.dtype), self.label_smoothing)
        return F.binary_cross_entropy_with_logits(output_BK, target_BK, pos_weight=self.pos_weight)


class TwoClassesCrossEntropy(nn.Module):
    """Binary cross-entropy of the second class's lead over the first; a weighted mean where classes have weights."""

    weight: torch.Tensor

    def __init__(self, label_smoothing: float, class_weight: list[float] | None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("weight", torch.tensor(class_weight or [1.0, 1.0]))

    def forward(self, output_B2: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logit_B = output_B2[:, 1] - output_B2[:, 0]
        target_B2 = class_probabilities(output_B2, target)
        weight_B2 = self.weight * smooth_labels(target_B2, self.label_smoothing)
        loss_B = -weight_B2[:, 1] * F.logsigmoid(logit_B) - weight_B2[:, 0] * F.logsigmoid(-logit_B)
        return loss_B.sum() / (self.weight * target_B2).sum()


def smooth_labels(target: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """Return 0/1 targets moved toward one half."""
    return target * (1 - label_smoothing) + label_smoothing / 2
