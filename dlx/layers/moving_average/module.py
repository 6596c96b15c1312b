"""Moving average over time.   B batch, T steps, F features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class CenteredMovingAverage(nn.Module):
    """The mean of the steps around each step, or the step without it."""

    def __init__(self, kernel: int, remainder: bool) -> None:
        super().__init__()
        self.kernel, self.remainder = kernel, remainder

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return (B, T, F)."""
        before = (self.kernel - 1) // 2
        padded_BFT = F.pad(x_BTF.transpose(1, 2), (before, self.kernel - 1 - before), mode="replicate")
        trend_BTF = F.avg_pool1d(padded_BFT, self.kernel, stride=1).transpose(1, 2)
        return x_BTF - trend_BTF if self.remainder else trend_BTF
