"""Weight tying of embedding and output. B batch, T time, F features, V vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.nn.context import Context, apply, make_sequential, takes_context


class TiedEmbeddingModule(nn.Module):
    """Embeds tokens, applies layers, and computes logits by the same table."""

    def __init__(self, embedding: nn.Embedding, layers: Mapping[str, nn.Module], scale: float, bias: bool) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = make_sequential(layers)
        self.scale = scale
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings)) if bias else None
        self.takes_context = takes_context(self.layers)
        nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)

    def forward(self, x: Any, context: Context | None = None) -> Tensor:
        """Return (B, T, V) logits."""
        y_BTF = apply(self.layers, self.embedding(x), context)
        if self.scale != 1:
            y_BTF = y_BTF * self.scale
        return F.linear(y_BTF, self.embedding.weight, self.bias)
