"""Channel padding."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad


class ChannelPadding(nn.Module):
    """Appends channels of zeros to an axis that is followed by some trailing axes."""

    def __init__(self, size: int, trailing: int) -> None:
        super().__init__()
        self.border = (0, 0) * trailing + (0, size)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its zeros."""
        return pad(x, self.border)
