"""A change of a linear map's bias. O outputs."""

from __future__ import annotations

from torch import Tensor, nn


class BiasChange(nn.Module):
    """Adds a learned vector to the output of a linear map."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.change_O = nn.Parameter(linear.weight.new_zeros(linear.out_features))

    def forward(self, linear: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
        """Return the output with the changed bias."""
        return y + self.change_O
