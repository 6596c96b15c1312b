"""Convolution with a connection table. B batch, C input and O output channels, N connections, S positions, K kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TableConv(nn.Module):
    """Convolution with weights only for the connections of a table."""

    output_index: Tensor
    input_index: Tensor

    def __init__(
        self,
        table: Sequence[Sequence[int]],
        channels: int,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        bias: bool = True,
    ) -> None:
        super().__init__()
        connections = [(o, c) for o, inputs in enumerate(table) for c in inputs]
        self.register_buffer("output_index", torch.tensor([o for o, _ in connections]), persistent=False)
        self.register_buffer("input_index", torch.tensor([c for _, c in connections]), persistent=False)
        self.dense_shape = (len(table), channels, *kernel)
        self.stride, self.padding = stride, padding
        self.conv = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
        self.weight = nn.Parameter(torch.empty(len(connections), *kernel))
        self.bias = nn.Parameter(torch.empty(len(table))) if bias else None
        self.counts = [len(inputs) for inputs in table]
        self.reset_parameters()

    @torch.no_grad()
    def fill_weight(self, fill: Callable[[Tensor], None]) -> None:
        """Initialize each output channel as that of a dense convolution with as many inputs as it has."""
        for count in sorted(set(self.counts)):
            dense_OcK = self.weight.new_empty(len(self.counts), count, *self.weight.shape[1:])
            fill(dense_OcK)
            for o in (o for o, inputs in enumerate(self.counts) if inputs == count):
                self.weight[self.output_index == o] = dense_OcK[o]

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw weights and biases uniformly between ±1 / √fan_in, with each output channel's own number of inputs."""
        bound_O = self.weight[0].numel() ** -0.5 * torch.tensor(self.counts, dtype=self.weight.dtype).rsqrt()
        bound_N = bound_O[self.output_index].view(-1, *[1] * (self.weight.ndim - 1))
        self.weight.uniform_(-1, 1).mul_(bound_N)
        if self.bias is not None:
            self.bias.uniform_(-1, 1).mul_(bound_O)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Return (B, O, S')."""
        empty_OCK = self.weight.new_zeros(self.dense_shape)
        weight_OCK = empty_OCK.index_put((self.output_index, self.input_index), self.weight)
        return self.conv(x_BCS, weight_OCK, self.bias, self.stride, self.padding)
