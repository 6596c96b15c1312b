"""Distances of embeddings. Q and N samples, E embedding."""

from __future__ import annotations

import torch
from torch import Tensor


def squared_distances(query_QE: Tensor, embedding_NE: Tensor) -> Tensor:
    """Return the squared Euclidean distances (Q, N), in 32 bits or more: differences of close numbers need them."""
    with torch.autocast(query_QE.device.type, enabled=False):
        wide = torch.promote_types(query_QE.dtype, torch.float32)
        query_QE, embedding_NE = query_QE.to(wide), embedding_NE.to(wide)
        norms_QN = query_QE.square().sum(1)[:, None] + embedding_NE.square().sum(1)
        return (norms_QN - 2 * query_QE @ embedding_NE.T).clamp_min(0)
