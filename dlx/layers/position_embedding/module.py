"""Positional encodings. B batch, T time, F features, L table length."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, mask_of, past_length, state_of


def sinusoidal_table(length: int, features: int) -> Tensor:
    """Return (L, F): sines of geometrically growing wavelengths at even features, cosines at odd ones."""
    steps_L1 = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates_F = torch.exp(torch.arange(0, features, 2) * (-math.log(10000.0) / features))
    table_LF = torch.empty(length, features)
    table_LF[:, 0::2] = torch.sin(steps_L1 * rates_F)
    table_LF[:, 1::2] = torch.cos(steps_L1 * rates_F)
    return table_LF


class _Positions(nn.Module):
    """Positional encoding: adds a row of a table to each step; padding in front of a sequence is not counted."""

    takes_context = True

    def table(self, length: int) -> Tensor:
        """Return at least this many rows."""
        raise NotImplementedError

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return x with the vector of its position added to every step."""
        seen, steps = past_length(context), x_BTF.shape[1]
        table_LF = self.table(seen + steps)
        index_BT = self._padded_positions(x_BTF, context)
        return x_BTF + (table_LF[seen : seen + steps] if index_BT is None else table_LF[index_BT])

    def _padded_positions(self, x_BTF: Tensor, context: Context | None) -> Tensor | None:
        """Return each step's position where padding shifts it; None where there is none."""
        mask_BT, state = mask_of(context), state_of(context, self)
        if mask_BT is None and not state:
            return None
        if mask_BT is None:
            mask_BT = torch.ones(x_BTF.shape[:2], dtype=torch.bool, device=x_BTF.device)
        count_BT = mask_BT.long().cumsum(1)
        if state is not None:
            before_B = state.get("real", count_BT.new_full((count_BT.shape[0],), past_length(context)))
            count_BT = count_BT + before_B.unsqueeze(1)
            state["real"] = count_BT[:, -1]
        return (count_BT - 1).clamp(min=0)


class LearnedPositions(_Positions):
    """Learned positional encoding."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, features).normal_(std=0.02))

    def table(self, length: int) -> Tensor:
        if length > len(self.weight):
            raise ValueError(f"{length} steps are more than the {len(self.weight)} positions that are learned")
        return self.weight


class SinusoidalPositions(_Positions):
    """Sinusoidal positional encoding; the table grows with the longest sequence."""

    def __init__(self, features: int, length: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("sines", sinusoidal_table(length, features), persistent=False)
        self.sines: Tensor

    def table(self, length: int) -> Tensor:
        if length > len(self.sines):
            self.sines = sinusoidal_table(2 * length, self.features).to(self.sines)
        return self.sines
