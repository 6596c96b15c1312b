"""PReLU whose features are last. B batch, T time, F features."""

from __future__ import annotations

from torch import Tensor, nn


class TimePReLU(nn.PReLU):
    """Prelu of (B, T, F) with one slope for all, or one for each F."""

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return x with its negative elements scaled."""
        return super().forward(x_BTF.transpose(1, 2)).transpose(1, 2)
