"""Marked nodes: the values of a recipe, each of which knows where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from dlx.diagnostic import Loc, Mark

Scalar = str | int | float | bool | None

MAX_NODES = 20_000
MAX_DEPTH = 64


@dataclass(slots=True)
class Node:
    """A value with its place.

    value    a scalar, a mapping of names to nodes, or a list of nodes
    mark     where the value stands
    keys     where each key of a mapping stands
    history  earlier places whose value this one replaced, oldest first
    via      where the blocks that this node was expanded from are used, outermost first
    origin   where the value is written that a reference at `mark` stands for
    secret   whether the value holds something that came from the environment
    """

    value: Scalar | dict[str, Node] | list[Node]
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    history: tuple[Mark, ...] = ()
    via: tuple[Mark, ...] = ()
    origin: tuple[Mark, ...] = ()
    secret: bool = False

    @property
    def file(self) -> str:
        """The file that holds the value."""
        return self.mark.file

    @property
    def line(self) -> int:
        """The line of the value, counted from 1."""
        return self.mark.line

    @property
    def column(self) -> int:
        """The first column of the value, counted from 1."""
        return self.mark.column

    @property
    def end_column(self) -> int:
        """The column after the last one of the value on its first line."""
        return self.mark.end_column

    @property
    def children(self) -> Iterator[Node]:
        """The nodes directly inside a mapping or list."""
        if isinstance(self.value, dict):
            return iter(self.value.values())
        return iter(self.value if isinstance(self.value, list) else ())

    def plain(self) -> Any:
        """Return the value without places, in plain Python."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, key: str | int) -> Node | None:
        """Return the node under a key or index; None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list):
            try:
                index = int(key)
            except ValueError:
                return None
            return self.value[index] if 0 <= index < len(self.value) else None
        return None

    def find(self, loc: Loc) -> Node | None:
        """Return the node at a path of keys and indices; None where there is none."""
        node: Node | None = self
        for part in loc:
            node = node.child(part) if node is not None else None
        return node

    def with_value(self, value: Scalar | dict[str, Node] | list[Node], via: tuple[Mark, ...] | None = None) -> Node:
        """Return a node at the same place with another value."""
        used = self.via if via is None else via
        return Node(value, self.mark, dict(self.keys), self.history, used, self.origin, self.secret)

    def without_keys(self, *names: str) -> Node:
        """Return a mapping without some of its keys."""
        value = {k: n for k, n in self.value.items() if k not in names} if isinstance(self.value, dict) else self.value
        return replace(self, value=value, keys={k: mark for k, mark in self.keys.items() if k not in names})

    def copy(self) -> Node:
        """Return a deep copy that can be changed freely."""
        if isinstance(self.value, dict):
            return self.with_value({k: n.copy() for k, n in self.value.items()})
        return self.with_value([n.copy() for n in self.value] if isinstance(self.value, list) else self.value)

    def size(self) -> tuple[int, int]:
        """Return how many nodes this one holds, itself included, and how deep they are nested."""
        count, depth = 1, 0
        for child in self.children:
            n, d = child.size()
            count, depth = count + n, max(depth, d)
        return count, depth + 1
