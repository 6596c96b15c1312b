"""Visible steps. B batch, T time, F features, S visible steps."""

from __future__ import annotations

from torch import Tensor, nn

from dlx.nn.context import Context


class VisibleSteps(nn.Module):
    """Keeps the steps at the indices `visible`, (B, S), in their order there."""

    takes_context = True

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, S, F); x where nothing is masked."""
        index_BS = (context or {}).get("visible")
        if index_BS is None:
            return x_BTF
        return x_BTF.gather(1, index_BS.unsqueeze(-1).expand(-1, -1, x_BTF.shape[2]))
