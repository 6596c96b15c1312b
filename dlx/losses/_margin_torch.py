"""Margins between the right answer and the best wrong one.   B batch, K classes or labels."""

from __future__ import annotations

import torch
from torch import nn

from dlx.losses._classes_torch import hard


class MarginLoss(nn.Module):
    """mean max(0, margin − lead)^power, where the lead is by how much the right answer is ahead."""

    def __init__(self, name: str, margin: float, power: int, labels: bool) -> None:
        super().__init__()
        self.name, self.margin, self.power, self.labels = name, margin, power, labels

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        lead = label_lead(output_BK, target) if self.labels else class_lead(output_BK, hard(target, self.name))
        # clamp, unlike relu, has slope 1 at the border: a tie is an error, so that learning starts from zero weights
        return (self.margin - lead).clamp(min=0).pow(self.power).mean()


def class_lead(output_BK: torch.Tensor, target_B: torch.Tensor) -> torch.Tensor:
    """Return the right class's score minus the best wrong one (B,)."""
    right_B1 = output_BK.gather(1, target_B[:, None])
    wrong_BK = output_BK.scatter(1, target_B[:, None], -torch.inf)
    return right_B1.squeeze(1) - wrong_BK.amax(1)


def label_lead(output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
    """Return each label's score, with the sign turned where the label is absent (B, K)."""
    return (2 * target_BK - 1) * output_BK
