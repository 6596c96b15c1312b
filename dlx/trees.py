"""Trees of layers: iterate over them and replace their layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlx.component import Component

Change = Callable[[Component], Component]


def iter_layers(tree: Component) -> Iterator[Component]:
    """Yield a layer and every layer inside it, in the order of the recipe."""
    yield tree
    for item in inner_layers(tree):
        yield from iter_layers(item)


def inner_layers(tree: Component) -> Iterator[Component]:
    """Yield the layers directly inside a layer."""
    for _, value in tree:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Component) and item.family == tree.family:
                yield item


def map_layers(tree: Component, change: Change) -> Component:
    """Return the tree with every layer replaced by `change(layer)`, inner ones first, in the same order.

    A layer in which nothing changes reaches `change` as the very same object.
    """
    updates = {name: new for name, value in tree if (new := _map_value(tree.family, value, change)) is not value}
    return change(tree.evolve_all(updates) if updates else tree)


def _map_value(family: str, value: object, change: Change) -> object:
    if isinstance(value, Component) and value.family == family:
        return map_layers(value, change)
    if not isinstance(value, list):
        return value
    new = [_map_value(family, item, change) for item in value]
    return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
