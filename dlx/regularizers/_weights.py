"""Which parameters are weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def weights(network: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters of two dimensions or more: no biases, no scales of normalization layers."""
    return [p for p in network.parameters() if p.requires_grad and p.ndim >= 2]
