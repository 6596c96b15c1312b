"""Squeeze and excitation. B batch, C channels, S any positions."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class ChannelGate(nn.Module):
    """Channel attention: x times the output of its layers for the mean of each channel."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Return x of the same shape, each channel times its weight."""
        weight_BC = x_BCS.flatten(2).mean(2)
        for layer in self.children():
            weight_BC = layer(weight_BC)
        return x_BCS * weight_BC.reshape(*weight_BC.shape, *[1] * (x_BCS.ndim - 2))
