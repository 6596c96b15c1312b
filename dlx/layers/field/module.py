"""One field of a record."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Chosen(nn.Module):
    """Returns the field of that name."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def forward(self, record: Mapping[str, Tensor]) -> Tensor:
        """Return the chosen field."""
        return record[self.key]
