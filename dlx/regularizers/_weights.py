"""Which parameters are weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def weights(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Return the trainable ones of two dimensions or more: no biases, no scales of normalization layers."""
    return [p for p in parameters if p.requires_grad and p.ndim >= 2]
