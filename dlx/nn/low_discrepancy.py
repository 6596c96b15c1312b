"""Low-discrepancy sequences: numbers that any stretch of a sequence spreads evenly over an interval."""

from __future__ import annotations

import torch
from torch import Tensor

INVERSE_GOLDEN_RATIO = 0.6180339887498949


def kronecker_sequence(index: Tensor) -> Tensor:
    """Return the members of a Kronecker sequence in [0, 1), from 0 on: the fractional part of multiples of 1 / φ.

    The result has the index's floating-point type, and no more digits than it.
    """
    return torch.frac((index + 1) * INVERSE_GOLDEN_RATIO)
