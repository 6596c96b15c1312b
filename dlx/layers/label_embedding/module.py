"""Class embedding. B batch, F features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dlx.nn.context import Context


class LabelTable(nn.Embedding):
    """Embeds the label of the context."""

    takes_context = True

    def forward(self, x: Any, context: Context | None = None) -> Tensor:  # type: ignore[override]
        """Return (B, F)."""
        assert context is not None
        return super().forward(context["label"])
