"""Pooling over time. B batch, T time, F features, H width of the attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, mask_of


class _Pool(nn.Module):
    takes_context = True

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, F)."""
        mask_BT = mask_of(context)
        if mask_BT is None:
            mask_BT = x_BTF.new_ones(x_BTF.shape[:2], dtype=torch.bool)
        return self.pool(x_BTF, mask_BT[..., None])

    def pool(self, x_BTF: Tensor, mask_BT1: Tensor) -> Tensor:
        """Return the summary of the steps where the mask is true, 0 where there are none."""
        raise NotImplementedError


class MeanPool(_Pool):
    """Mean pooling."""

    def pool(self, x_BTF: Tensor, mask_BT1: Tensor) -> Tensor:
        """Return the sum of real steps, divided by their number."""
        return x_BTF.masked_fill(~mask_BT1, 0.0).sum(1) / mask_BT1.sum(1).clamp(min=1)


class MaxPool(_Pool):
    """Max pooling; equal maxima share the gradient."""

    def pool(self, x_BTF: Tensor, mask_BT1: Tensor) -> Tensor:
        """Return the maximum over real steps."""
        lowest = torch.finfo(x_BTF.dtype).min
        return x_BTF.masked_fill(~mask_BT1, lowest).amax(1).masked_fill(~mask_BT1.any(1), 0.0)


class LastPool(_Pool):
    """The last real step of each sequence."""

    def pool(self, x_BTF: Tensor, mask_BT1: Tensor) -> Tensor:
        """Return that step."""
        order_T1 = torch.arange(1, x_BTF.shape[1] + 1, device=x_BTF.device)[:, None]
        last_B11 = (mask_BT1 * order_T1).argmax(1, keepdim=True)
        last_B1F = x_BTF.gather(1, last_B11.expand(-1, -1, x_BTF.shape[2]))
        return last_B1F[:, 0].masked_fill(~mask_BT1.any(1), 0.0)


class AttentionPool(_Pool):
    """Attention pooling: a mean whose weights are a softmax of v · tanh(W x + b)."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.store_attention = False
        self.attention_weights: Tensor | None = None

    def pool(self, x_BTF: Tensor, mask_BT1: Tensor) -> Tensor:
        """Return the weighted mean; the attention weights are stored on demand."""
        score_BT1 = self.score(torch.tanh(self.inner(x_BTF)))
        weight_BT1 = score_BT1.masked_fill(~mask_BT1, torch.finfo(score_BT1.dtype).min).softmax(1)
        weight_B1T = weight_BT1.masked_fill(~mask_BT1, 0.0).transpose(1, 2)
        if self.store_attention:
            self.attention_weights = weight_B1T[:, None].detach()
        return torch.bmm(weight_B1T, x_BTF)[:, 0]
