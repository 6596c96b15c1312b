from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Component, base_class
from dlx.layers import Layer
from dlx.regularizers import Regularizer
from dlx.trees import iter_layers, map_layers


class Dropout(Regularizer):
    """Dropout: sets random activations to zero during training, throughout the network.

    Where the network has dropout layers or transformer blocks, their probability is set. Where it has none, a dropout
    layer is inserted after every activation in a list of layers, except for one at the very end. A single dropout layer
    goes into the model itself.

    Units:   p is a probability.
    Raises:  ValueError if the network has neither dropout layers nor such activations.
    Source:  Srivastava et al. 2014, JMLR 15.

    Example:
        {dropout: 0.2}
    """

    primary: ClassVar[str] = "p"
    type: Literal["dropout"] = "dropout"
    p: float = Field(0.5, ge=0, lt=1)
    """Probability that an activation is set to zero."""

    def rewrite_layers(self, tree: Component) -> Component:
        if any(_is_dropout(layer) for layer in iter_layers(tree)):
            return map_layers(tree, self._set)
        grown = self._insert_dropout(tree, at_end=True)
        if grown is tree:
            raise ValueError("the network has neither dropout layers nor activations to put them after")
        return grown

    def _set(self, layer: Component) -> Component:
        if not isinstance(layer, Layer) or layer.dropout_field is None:
            return layer
        return layer.evolve(layer.dropout_field, self.p)

    def _insert_dropout(self, layer: Component, at_end: bool) -> Component:
        """Return the layer with dropout after each activation in its lists; itself if there is none."""
        updates: dict[str, Any] = {}
        for name, value in layer:
            if isinstance(value, list):
                ends = [at_end and i == len(value) - 1 for i in range(len(value))]
                new = [self._element(item, layer.family, end) for item, end in zip(value, ends, strict=True)]
                updates |= {name: new} if any(a is not b for a, b in zip(new, value, strict=True)) else {}
            elif _is_layer(value, layer.family) and (inner := self._insert_dropout(value, at_end)) is not value:
                updates[name] = inner
        return layer.evolve_all(updates) if updates else layer

    def _element(self, item: Any, family: str, at_end: bool) -> Any:
        if not _is_layer(item, family):
            return item
        if item.gain() is None:
            return self._insert_dropout(item, at_end)
        return item if at_end else base_class(family).model_validate([item, {"dropout": self.p}])


def _is_layer(value: Any, family: str) -> bool:
    return isinstance(value, Component) and value.family == family


def _is_dropout(layer: Component) -> bool:
    """Return whether a layer is dropout of any kind: of elements, of channels, one that keeps the moments."""
    return isinstance(layer, Layer) and layer.dropout_field is not None
