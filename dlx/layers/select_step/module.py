"""One step of a sequence. B batch, T time, F features."""

from __future__ import annotations

from torch import Tensor, nn


class TimeStepSelection(nn.Module):
    """Selects the step at an index."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return (B, F)."""
        return x_BTF[:, self.index]
