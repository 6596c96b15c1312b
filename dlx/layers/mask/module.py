"""Padding mask. B batch, T time."""

from __future__ import annotations

from torch import Tensor, nn

from dlx.nn.context import Context, mask_of


class PaddingMask(nn.Module):
    """Sets the padded steps of x to zero; its axis `time` counts the batch as 0."""

    takes_context = True

    def __init__(self, time: int) -> None:
        super().__init__()
        self.time = time

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return x, zero where the mask is false."""
        mask_BT = mask_of(context)
        if mask_BT is None:
            return x
        return x * mask_BT.unsqueeze(2 if self.time == 1 else 1).to(x.dtype)
