"""Trainable subsampling. B batch, C channels, S positions."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn


class TrainableSubsampling(nn.Module):
    """Trainable subsampling: coefficient · (sum of a window) + bias, one of each for every channel."""

    def __init__(self, channels: int, kernel: tuple[int, ...]) -> None:
        super().__init__()
        self.mean = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[len(kernel) - 1](kernel)  # type: ignore[arg-type]
        self.size = prod(kernel)
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.size))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Return one number for each window of each channel."""
        shape = (-1, *[1] * (x_BCS.ndim - 2))
        sums: Tensor = self.mean(x_BCS) * self.size
        return sums * self.weight.view(shape) + self.bias.view(shape)
