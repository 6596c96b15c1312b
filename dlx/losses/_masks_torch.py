"""Losses of masks.   B batch, K classes, H × W pixels, N = B · H · W."""

from __future__ import annotations

import torch
from torch import nn


class PixelwiseLoss(nn.Module):
    """A loss of samples (N, K), taken over every pixel of (B, K, H, W)."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output_BKHW: torch.Tensor, target_BHW: torch.Tensor) -> torch.Tensor:
        output_NK = output_BKHW.movedim(1, -1).flatten(0, -2)
        return self.loss(output_NK, target_BHW.flatten())  # type: ignore[no-any-return]
