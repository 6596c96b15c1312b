"""Auxiliary head: a second prediction, from the middle of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlx.nn.context import Context, apply, make_sequential, takes_context


class AuxiliaryHeadModule(nn.Module):
    """Passes its input on; in training `auxiliary_output` is the output of its layers, else None."""

    def __init__(self, layers: Mapping[str, nn.Module], weight: float) -> None:
        super().__init__()
        self.layers = make_sequential(layers)
        self.weight = weight
        self.auxiliary_output: Tensor | None = None
        self.takes_context = takes_context(self.layers)

    def forward(self, x: Any, context: Context | None = None) -> Any:
        """Return x."""
        self.auxiliary_output = apply(self.layers, x, context) if self.training else None
        return x
