"""How far embeddings are from one another. Q and N samples, E embedding."""

from __future__ import annotations

import torch
from torch import Tensor


def squared(asking_QE: Tensor, embedding_NE: Tensor) -> Tensor:
    """Return the squared distances (Q, N), in 32 bits or more: differences of nearly equal numbers need them."""
    with torch.autocast(asking_QE.device.type, enabled=False):
        wide = torch.promote_types(asking_QE.dtype, torch.float32)
        asking_QE, embedding_NE = asking_QE.to(wide), embedding_NE.to(wide)
        lengths_QN = asking_QE.square().sum(1)[:, None] + embedding_NE.square().sum(1)
        return (lengths_QN - 2 * asking_QE @ embedding_NE.T).clamp_min(0)
