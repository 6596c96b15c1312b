"""Margins: how far the score of the right class is above the best wrong one.   B batch, K classes or labels."""

from __future__ import annotations

import torch
from torch import nn

from dlx.losses._targets_torch import class_indices


class MarginLoss(nn.Module):
    """mean max(0, margin − m)^power, where m is the margin by which the right answer leads."""

    def __init__(self, name: str, margin: float, power: int, labels: bool) -> None:
        super().__init__()
        self.name, self.margin, self.power, self.labels = name, margin, power, labels

    def forward(self, output_BK: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.labels:
            margins = label_margins(output_BK, target)
        else:
            margins = class_margins(output_BK, class_indices(target, self.name))
        # clamp, unlike relu, has slope 1 at the border: a tie is an error, so that learning starts from zero weights
        return (self.margin - margins).clamp(min=0).pow(self.power).mean()


def class_margins(output_BK: torch.Tensor, target_B: torch.Tensor) -> torch.Tensor:
    """Return the right class's score minus the best wrong one (B,)."""
    right_B1 = output_BK.gather(1, target_B[:, None])
    wrong_BK = output_BK.scatter(1, target_B[:, None], -torch.inf)
    return right_B1.squeeze(1) - wrong_BK.amax(1)


def label_margins(output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
    """Return each label's score, negated where the label is absent (B, K)."""
    return (2 * target_BK - 1) * output_BK
