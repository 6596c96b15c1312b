"""Patch embedding. B batch, C channels, H height, W width, T patches, F features."""

from __future__ import annotations

from torch import Tensor, nn


class PatchProjection(nn.Module):
    """Linear projection of each patch."""

    def __init__(self, channels: int, size: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, features, size, size)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return (B, T, F)."""
        return self.project(x_BCHW).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]
