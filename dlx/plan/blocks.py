"""The blocks of a network: the parts whose inside can be forgotten after the forward pass and computed again."""

from __future__ import annotations

from dlx.layers import Layer
from dlx.tensors import Spec, elements

Block = tuple[str, Layer, Spec]
"""Path of the module, its layer, and the layer's input."""


def blocks(layer: Layer, x: Spec, path: str = "") -> list[Block]:
    """Return the largest parts that do more than apply layers in line; of a plain line, the innermost lists."""
    children = layer.children(x)  # type: ignore[arg-type]
    if not children:
        return []
    if not layer.in_line:
        return [(path, layer, x)]
    inner = [b for c in children for b in blocks(c.layer, c.x, f"{path}.{c.name}" if path else c.name)]
    return inner or [(path, layer, x)]


def kept(layer: Layer, x: Spec) -> int:
    """Return the activations of one sample that are alive at the peak where blocks are computed again.

    Every block's input is kept, all that is outside of blocks, and the inside of the one that is computed again.
    """
    inside = [part.cost(at).activations for _, part, at in blocks(layer, x)]  # type: ignore[arg-type]
    inputs = sum(elements(at) for _, _, at in blocks(layer, x))
    whole = layer.cost(x).activations  # type: ignore[arg-type]
    return min(whole, whole - sum(inside) + inputs + max(inside, default=0))
