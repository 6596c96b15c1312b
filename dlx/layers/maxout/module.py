"""Maxout."""

from __future__ import annotations

from torch import Tensor, nn


class GroupMaximum(nn.Module):
    """Maximum of every `pieces` entries along an axis (the batch is axis 0)."""

    def __init__(self, axis: int, pieces: int) -> None:
        super().__init__()
        self.axis = axis
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Return x with `pieces` times fewer entries along the axis."""
        groups: Tensor = x.unflatten(self.axis, (-1, self.pieces))
        return groups.max(dim=self.axis + 1).values
