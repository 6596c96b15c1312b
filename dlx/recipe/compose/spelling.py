"""How a component is spelled before the schema has seen it: enough to change one field of it.

A key says which family its value belongs to, because families are the plurals of keys, or of who does
what a key says: `optimizer` → `dlx.optimizers`, `search` → `dlx.searchers`.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from dlx.recipe.yaml.node import Node


@cache
def family_of(key: str) -> str:
    """Return the family that a key holds one component of; "" where it holds none."""
    from dlx.component import ROOT

    for name in (f"{key}s", f"{key}es", f"{key}ers"):
        spec = find_spec(f"{ROOT}.{name}") if key.isidentifier() else None
        if spec is not None and spec.submodule_search_locations:
            return name
    return ""


def component_type(node: Node, family: str) -> str:
    """Return the type that a node names as a component of the family; "" if it names none."""
    own = node.child("type")
    if own is not None:
        return own.value if isinstance(own.value, str) else ""
    if isinstance(node.value, str):
        return node.value if _is_type(node.value, family) else ""
    if isinstance(node.value, dict) and len(node.value) == 1:
        name = next(iter(node.value))
        return name if _is_type(name, family) else ""
    return ""


def as_mapping(node: Node, family: str) -> Node:
    """Return a bare name, or a name as a single key, as a mapping with that `type`; anything else as it is."""
    name = component_type(node, family)
    if not name or node.child("type") is not None:
        return node
    if isinstance(node.value, str):
        return Node({"type": node.with_value(name)}, node.mark, {"type": node.mark}, node.history)
    inner, mark = node.child(name), node.keys[name]
    fields = None if inner is None else _fields(inner, family, name)
    if inner is None or fields is None:
        return node
    keys = {"type": mark, **(inner.keys or dict.fromkeys(fields, mark))}
    return Node({"type": Node(name, mark), **fields}, mark, keys, (*node.history, *inner.history))


def _fields(inner: Node, family: str, name: str) -> dict[str, Node] | None:
    """Return the fields that stand behind a component's name; a bare value is that of its primary field."""
    if isinstance(inner.value, dict):
        return inner.value
    if inner.value is None:
        return {}
    from dlx.component import leaf_class

    primary = leaf_class(family, name).primary
    return {primary: inner} if primary else None


def is_by_role(node: Node, family: str) -> bool:
    """Whether a mapping holds a component of the family for each of several roles."""
    return (
        isinstance(node.value, dict)
        and not component_type(node, family)
        and any(component_type(n, family) for n in node.children)
    )


def _is_type(name: str, family: str) -> bool:
    if not family:
        return False
    from dlx.component import types

    return name in types(family)
