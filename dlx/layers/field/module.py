"""Field selection."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dlx.layers._scope import field_context
from dlx.nn.context import Context


class SelectField(nn.Module):
    """Selects the field of that name; behind it, the field's mask is `mask` of the context."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def forward(self, record: Mapping[str, Tensor]) -> Tensor:
        """Return the field."""
        return record[self.key]

    def output_context(self, context: Context) -> Context:
        """Return the context behind it."""
        return field_context(self.key, context)
