"""Log-cosh loss."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


class LogCoshLoss(nn.Module):
    """mean log cosh (output − target), in a form that does not overflow: log cosh d = d + softplus(−2 d) − ln 2."""

    def forward(self, output_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        error_BK = output_BK - target_BK
        return (error_BK + F.softplus(-2 * error_BK) - math.log(2)).mean()
