"""Where in the recipe a path of the schema points, whichever of its spellings the recipe uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dlx.diagnostic import Diagnostic, Loc, Mark, dotted_path
from dlx.recipe.yaml.node import Node

_NOTHING = object()


@dataclass
class Place:
    """A node, the key that leads to it, and how much of the path it took to get there.

    loc     the path as the recipe spells it
    left    parts of the schema's path that stand nowhere in the recipe: union tags, fields written as a bare value
    skipped the nodes at which a part was passed over
    """

    node: Node
    key: Mark | None = None
    loc: Loc = ()
    left: Loc = ()
    skipped: list[Node] = field(default_factory=list)

    @property
    def mark(self) -> Mark:
        """Where a wrong value stands."""
        return self.node.mark

    @property
    def name_mark(self) -> Mark:
        """Where the name of a component or section stands."""
        kind = self.node.child("type")
        if kind is not None:
            return kind.mark
        if isinstance(self.node.value, dict) and len(self.node.value) == 1 and self.key is None:
            return next(iter(self.node.keys.values()))
        return self.key if self.key is not None and not _is_scalar(self.node) else self.node.mark


def locate(root: Node, loc: Loc, value: Any = _NOTHING) -> Place:
    """Follow a path of the schema through the recipe as far as it goes.

    A part that the recipe does not spell out is looked for behind the single keys of `{name: {conv: {…}}}`. Only if
    `value` stands there may it be the bare value of `{linear: 3}`.
    """
    place = Place(root)
    for i, part in enumerate(loc):
        following = loc[i + 1] if i + 1 < len(loc) else None
        found = _step(place, part, following, value)
        if found is None:
            place.left = (*place.left, part)
        else:
            place = found
    return place


def locate_name(place: Place, name: str) -> Place:
    """Return the place where a component's name is written, at or behind the single keys of this one."""
    here = place
    for _ in range(3):
        only = _only_child(here)
        if only is None or here.node.child("type") is not None:
            break
        if only.loc[-1] == name:
            return Place(only.node, only.key, only.loc, skipped=place.skipped)
        here = only
    kind = here.node.child("type")
    if kind is not None and kind.value == name:
        return Place(kind, here.node.keys["type"], (*here.loc, "type"), skipped=place.skipped)
    return here if here.node.value == name else place


def _step(place: Place, part: str | int, following: str | int | None, value: Any) -> Place | None:
    here: Place | None = place
    for _ in range(3):
        if here is None:
            return None
        found = _down(here, part, following)
        if found is not None:
            return found
        if _is_scalar(here.node):
            bare = here is not place and _is_field(part) and _same(here.node.value, value)
            return Place(here.node, here.key, here.loc, (*place.left, part), place.skipped) if bare else None
        here = _only_child(here) if here.node.child("type") is None else None
    return None


def _down(place: Place, part: str | int, following: str | int | None) -> Place | None:
    """Return the child that a part names; the place itself if a list stands for the component that holds it."""
    node = place.node
    child = node.child(part) if isinstance(node.value, dict) or isinstance(part, int) else None
    if child is not None:
        return Place(child, node.keys.get(str(part)), (*place.loc, part), place.left, place.skipped)
    if not isinstance(node.value, list) or isinstance(part, int):
        return None
    for i, item in enumerate(node.value):
        if part in (item.value, getattr(item.child("type"), "value", None)) or part in item.keys:
            inner = Place(item, None, (*place.loc, i), place.left, place.skipped)
            return inner if part not in item.keys else _only_child(inner)
    if isinstance(following, int):
        return Place(node, place.key, place.loc, place.left, [*place.skipped, node])
    return None


def _only_child(place: Place) -> Place | None:
    value = place.node.value
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (key, node), *_ = value.items()
    return Place(node, place.node.keys[key], (*place.loc, key), place.left, place.skipped)


def _is_scalar(node: Node) -> bool:
    return not isinstance(node.value, (dict, list))


def _is_field(part: str | int) -> bool:
    return isinstance(part, str) and part.isidentifier()


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or a != a)


def notes_of(node: Node) -> tuple[str, ...]:
    """Say where the value of a node came from, and what it replaced."""
    origin = [f"its value is set in {mark}" for mark in node.origin]
    replaced = [f"it replaces what is set in {mark}" for mark in reversed(node.history)]
    used = [f"in the block used in {mark}" for mark in node.via]
    return (*origin, *replaced, *used)


def diagnose_at(
    root: Node,
    loc: Loc,
    message: str,
    code: str,
    suggestion: str = "",
    notes: tuple[str, ...] = (),
) -> Diagnostic:
    """Make a diagnostic for what is found wrong later: it points at the name of the component or the value at `loc`.

    Of a layer that nobody wrote, such as one of a named architecture, it says where inside of that it stands.
    """
    place = locate(root, loc)
    inside = next((place.left[i - 1 :] for i, part in enumerate(place.left) if i and isinstance(part, int)), ())
    message += f" (in its {dotted_path(inside)})" if inside else ""
    return Diagnostic.from_mark(place.name_mark, code, message, suggestion, place.loc, (*notes, *notes_of(place.node)))
