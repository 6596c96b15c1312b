"""Low-rank adaptation of a linear map. O outputs, I inputs, R rank."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LowRank(nn.Module):
    """Adds scale · B A x to the output of a linear map."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.a_RI = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.b_OR = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.a_RI, a=math.sqrt(5))

    def forward(self, linear: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
        """Return the adapted output for the input x of the linear map and its output y."""
        return y + self.change(x)

    def change(self, x: Tensor) -> Tensor:
        """Return scale · B A x."""
        return F.linear(F.linear(self.dropout(x), self.a_RI), self.b_OR) * self.scale


class WeightDecomposed(LowRank):
    """Replaces the length of each row of W + scale · B A by one that learns."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        super().__init__(linear, rank, scale, dropout)
        self.length_O = nn.Parameter(torch.linalg.vector_norm(linear.weight.detach(), dim=1))

    def forward(self, linear: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
        """Return the adapted output; lengths of the changed rows carry no gradient, as in the paper."""
        rows_OI = linear.weight.detach() + self.scale * (self.b_OR @ self.a_RI).detach()
        ratio_O = self.length_O / torch.linalg.vector_norm(rows_OI, dim=1)
        bias = 0 if linear.bias is None else linear.bias
        adapted: Tensor = (y - bias + self.change(x)) * ratio_O + bias
        return adapted
