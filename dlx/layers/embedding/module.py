"""Token embeddings. B batch, T time, F features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor, nn


class ScaledEmbedding(nn.Embedding):
    """Token embedding whose vectors are multiplied by √features where scale is true."""

    def __init__(self, rows: int, features: int, scale: bool) -> None:
        super().__init__(rows, features)
        self.factor = math.sqrt(features) if scale else 1.0
        if scale:
            nn.init.normal_(self.weight, std=features**-0.5)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Return (B, T, F) vectors."""
        x_BTF = super().forward(tokens_BT)
        return x_BTF if self.factor == 1 else x_BTF * self.factor


class RecordEmbedding(ScaledEmbedding):
    """Token embedding of several fields of a record, by one table."""

    def __init__(self, rows: int, features: int, scale: bool, names: Sequence[str]) -> None:
        super().__init__(rows, features, scale)
        self.names = tuple(names)

    def forward(self, record: Mapping[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        """Return the record with its tokens embedded."""
        look_up = super().forward
        return {name: look_up(value) if name in self.names else value for name, value in record.items()}
