"""Changes of a recipe while its run goes on, and whether they are permitted: each field says so itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dlx.component import Component, Section
from dlx.recipe.schema.permission import Permission
from dlx.recipe.schema.recipe import Recipe

PermissionName = Literal["free", "ask", "fixed"]


@dataclass(frozen=True)
class Change:
    """A value of the recipe that is not what it was; `permission` says whether a run may go on with it."""

    path: str
    before: Any
    after: Any
    permission: PermissionName

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.before)} → {_short(self.after)}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs between two recipes in canonical form."""
    known = dict(_permissions(Recipe, ()))
    return [
        Change(".".join(path), old, new, _permission(path, known)) for path, old, new in _differences(before, after)
    ]


def permission_of(path: str) -> PermissionName:
    """Return whether the value at a dotted path may differ when a run goes on."""
    return _permission(tuple(path.split(".")), dict(_permissions(Recipe, ())))


def _permission(path: tuple[str, ...], known: Mapping[tuple[str, ...], Permission]) -> PermissionName:
    """Return the permission of the nearest field above that has one."""
    for end in range(len(path), 0, -1):
        if path[:end] in known:
            return known[path[:end]].name
    return "ask"


def _differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("type") == after.get("type"):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(key), after.get(key), (*path, str(key)))
    elif before != after:
        yield path, before, after


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "type" in value:
        return str(value["type"])
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _permissions(section: type[Section], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Permission]]:
    """Yield what the fields of a section and of those in it say, by path."""
    for name, field in section.model_fields.items():
        yield from (((*path, name), m) for m in field.metadata if isinstance(m, Permission))
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section) and not issubclass(inner, Component):
            yield from _permissions(inner, (*path, name))
