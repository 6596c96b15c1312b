"""Norms over the features at each position, whichever axis they are. B batch, C channels, S any positions."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over axis 1 of (B, C, S…)."""

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Return normalized features of the same shape."""
        return super().forward(x_BCS.movedim(1, -1)).movedim(-1, 1)


class ChannelRMSNorm(nn.RMSNorm):
    """RMS norm over axis 1 of (B, C, S…)."""

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Return normalized features of the same shape."""
        return super().forward(x_BCS.movedim(1, -1)).movedim(-1, 1)


class TimeInstanceNorm(nn.InstanceNorm1d):
    """Instance norm of (B, T, F): each feature over time."""

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return normalized features of the same shape."""
        return super().forward(x_BTF.transpose(1, 2)).transpose(1, 2)
