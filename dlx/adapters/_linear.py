"""What adapters of linear maps share."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from dlx.adapters import Adapter, NothingToAdapt
from dlx.layer_names import check_pattern, weighted_layers
from dlx.patterns import matches
from dlx.rules import CheckContext, Problem


class LinearAdapter(Adapter):
    """An adapter of the linear maps of those layers that a pattern chooses."""

    layers: str = Field("*", min_length=1)
    """Which layers are adapted, as `dlx plan` names them: `body` is all that is in it, `*.attention.*` a glob."""

    def adapts(self, path: str) -> bool:
        return matches(self.layers, path)

    def _check_maps(self, context: CheckContext) -> Iterator[Problem]:
        unknown = list(check_pattern(self.layers, weighted_layers(context), "layers"))
        yield from unknown
        found = any(self.linear_maps(network.tree, network.input) for network in context.networks.values())
        if not found and not unknown:
            yield NothingToAdapt.at(f"no layer named '{self.layers}' has a linear map to adapt", "layers")
