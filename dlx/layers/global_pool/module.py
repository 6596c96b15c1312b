"""Global pooling; dims count the batch as 0."""

from __future__ import annotations

from torch import Tensor, nn


class GlobalAverage(nn.Module):
    """Global average pooling over some dimensions."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """Return x without those dimensions."""
        return x.mean(self.dims)


class GlobalMaximum(nn.Module):
    """Global max pooling over some dimensions; equal maxima share the gradient."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """Return x without those dimensions."""
        return x.amax(self.dims)
