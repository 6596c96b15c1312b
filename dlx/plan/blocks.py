"""The blocks of a network: the parts whose inside can be forgotten after the forward pass and computed again."""

from __future__ import annotations

from dlx.layers import Layer
from dlx.tensors import Spec

Block = tuple[str, Layer, Spec]
"""Path of the module, its layer, and the layer's input."""


def blocks(layer: Layer, x: Spec, path: str = "") -> list[Block]:
    """Return the largest parts that do more than apply layers in line; of a plain line, the innermost lists."""
    children = layer.children(x)  # type: ignore[arg-type]
    if not children:
        return []
    if not layer.is_sequential:
        return [(path, layer, x)]
    inner = [b for c in children for b in blocks(c.layer, c.x, f"{path}.{c.name}" if path else c.name)]
    return inner or [(path, layer, x)]
