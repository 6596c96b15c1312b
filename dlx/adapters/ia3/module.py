"""Scaling of a linear map's outputs. O outputs."""

from __future__ import annotations

from torch import Tensor, nn


class OutputScale(nn.Module):
    """Multiplies each output of a linear map by a learned number."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.scale_O = nn.Parameter(linear.weight.new_ones(linear.out_features))

    def forward(self, linear: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
        """Return the scaled output."""
        return y * self.scale_O
