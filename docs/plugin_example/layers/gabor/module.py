"""Fixed Gabor filters. B batch, C channels, H × W pixels, O orientations, K side of a filter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GaborFilters(nn.Module):
    """Maps (B, C, H, W) to (B, O, H, W)."""

    filters: Tensor

    def __init__(self, orientations: int, kernel: int, wavelength: float) -> None:
        super().__init__()
        side = torch.arange(kernel) - kernel // 2
        v_KK, u_KK = torch.meshgrid(side, side, indexing="ij")
        theta_O11 = (torch.arange(orientations) * math.pi / orientations)[:, None, None]
        along_OKK = u_KK * theta_O11.cos() + v_KK * theta_O11.sin()
        envelope_KK = torch.exp(-2 * (u_KK**2 + v_KK**2) / wavelength**2)
        filters_OKK = envelope_KK * torch.cos(2 * math.pi * along_OKK / wavelength)
        filters_OKK = filters_OKK - filters_OKK.mean((1, 2), keepdim=True)
        self.register_buffer("filters", filters_OKK[:, None])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Average the channels and apply every filter."""
        return F.conv2d(x_BCHW.mean(1, keepdim=True), self.filters, padding="same")
