"""The weights that lead into one unit: a row of a matrix, a filter of a convolution."""

from __future__ import annotations

import torch
from torch import Tensor


def unit_norms(tensor: Tensor) -> Tensor:
    """Return the norm of each output unit, or of a whole vector, broadcastable to the tensor."""
    axes = None if tensor.ndim <= 1 else tuple(range(1, tensor.ndim))
    norms: Tensor = torch.linalg.vector_norm(tensor, dim=axes, keepdim=True)
    return norms
