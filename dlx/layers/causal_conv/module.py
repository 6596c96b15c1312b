"""Causal convolution over time. B batch, T time, F features, R steps of the receptive field before the current one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from dlx.nn.context import Context, mask_of, state_of


class CausalConv1d(nn.Module):
    """Causal dilated convolution, with zeros before the start, or the steps in the cache."""

    takes_context = True

    def __init__(self, inputs: int, features: int, kernel: int, dilation: int, bias: bool, weight_normed: bool) -> None:
        super().__init__()
        conv = nn.Conv1d(inputs, features, kernel, dilation=dilation, bias=bias)
        self.conv = weight_norm(conv) if weight_normed else conv
        self.reach = (kernel - 1) * dilation

    def fill_weight(self, fill: Callable[[Tensor], None]) -> None:
        """Initialize the filters; with weight normalization, their norm and direction."""
        weight = self.conv.weight.detach().clone()
        fill(weight)
        if is_parametrized(self.conv, "weight"):
            self.conv.weight = weight  # type: ignore[assignment]
        else:
            self.conv.weight.copy_(weight)

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, features); padded steps are read as zeros."""
        mask_BT, kept = mask_of(context), state_of(context, self)
        if mask_BT is not None:
            x_BTF = x_BTF.masked_fill(~mask_BT[..., None], 0.0)
        past_BRF = x_BTF.new_zeros(x_BTF.shape[0], self.reach, x_BTF.shape[2])
        if kept:
            past_BRF = kept["past"]
        seen_BTF = torch.cat([past_BRF, x_BTF], 1)
        if kept is not None:
            kept["past"] = seen_BTF[:, seen_BTF.shape[1] - self.reach :]
        return self.conv(seen_BTF.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]
