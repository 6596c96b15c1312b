"""Lens: change one value deep inside a frozen tree of sections, components, dataclasses, maps and lists.

    recipe.evolve("train.batch_size", 4)
    recipe.evolve("optimizer.*.lr", 0.1)
    recipe.evolve_all({"train.steps": 100, "train.epochs": None})

A path is written as on the command line. `*` stands for every entry of a map or list. A name that a map by role does
not have is looked for in its entry for every role: `optimizer.lr` is `optimizer.*.lr`.

The section that holds a changed value is validated as when a recipe is read: types, bounds and the rules between its
fields hold, and a value may have any spelling that a recipe may use. Maps and lists are validated with the section that
holds them. What lies around the section and beside it stays as it is, so that one change costs one section.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, cast

from pydantic import BaseModel, ValidationError

from dlx.errors import UsageError
from dlx.nearest import nearest

EVERY = "*"
Path = tuple[str, ...]


class Evolvable:
    """A frozen object of which a copy can be made with other values inside it."""

    def evolve(self, path: str, value: Any) -> Self:
        """Return a copy with another value at a dotted path. Raises: UsageError if there is no such path, or the value
        does not fit there.
        """
        return self.evolve_all({path: value})

    def evolve_all(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with other values at several paths; a section with several of them is validated once."""
        return cast(Self, _evolve(self, {tuple(path.split(".")): value for path, value in changes.items()}, ()))


def _evolve(holder: Any, changes: Mapping[Path, Any], at: Path) -> Any:
    """Return a copy of the holder, which stands at a path, with values changed that stand at paths within it."""
    assigned: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for name, inside in _by_first_name(holder, changes, at).items():
        whole = () in inside
        new = inside[()] if whole else _evolve(_value(holder, name), inside, (*at, name))
        (assigned if whole or isinstance(new, Mapping | list | tuple) else nested)[name] = new
    return _copy_with(holder, assigned, nested, at)


def _by_first_name(holder: Any, changes: Mapping[Path, Any], at: Path) -> dict[str, dict[Path, Any]]:
    """Return the changes within each child of the holder, by the child's name."""
    known = _names(holder, at)
    found: dict[str, dict[Path, Any]] = {}
    for (first, *rest), value in changes.items():
        for name, inside in _matches(holder, known, first, tuple(rest), at):
            found.setdefault(name, {})[inside] = value
    return found


def _matches(holder: Any, known: list[str], first: str, rest: Path, at: Path) -> Iterator[tuple[str, Path]]:
    """Yield the children that the first name of a path means, each with the path within it."""
    if first in known:
        yield first, rest
    elif first == EVERY and isinstance(holder, Mapping | list | tuple):
        yield from ((name, rest) for name in known)
    elif isinstance(holder, Mapping) and EVERY in known:
        yield EVERY, (first, *rest)
    elif isinstance(holder, Mapping) and not rest:
        yield first, rest
    else:
        raise _unknown((*at, first), known)


def _names(holder: Any, at: Path) -> list[str]:
    if isinstance(holder, BaseModel):
        return list(type(holder).model_fields)
    if dataclasses.is_dataclass(holder):
        return [field.name for field in dataclasses.fields(holder)]
    if isinstance(holder, Mapping):
        return [str(name) for name in holder]
    if isinstance(holder, list | tuple):
        return [str(i) for i in range(len(holder))]
    raise UsageError(f"{'.'.join(at)} is {holder!r}, which has no fields")


def _value(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder[name]
    return holder[int(name)] if isinstance(holder, list | tuple) else getattr(holder, name)


def _copy_with(holder: Any, assigned: Mapping[str, Any], nested: Mapping[str, Any], at: Path) -> Any:
    """Return a copy of the holder with other children; of a section, those that are assigned are validated."""
    if isinstance(holder, BaseModel):
        copy = holder.model_copy(update=nested)
        return copy.model_copy(update=_validate(copy, assigned, at)) if assigned else copy
    if isinstance(holder, Mapping):
        return {**holder, **nested, **assigned}
    if isinstance(holder, list | tuple):
        changes = {**nested, **assigned}
        return type(holder)(changes.get(str(i), value) for i, value in enumerate(holder))
    return dataclasses.replace(holder, **nested, **assigned)


def _validate(section: BaseModel, assigned: Mapping[str, Any], at: Path) -> dict[str, Any]:
    """Return the assigned values as the section reads them, beside the other values that are set in it."""
    values = {name: getattr(section, name) for name in section.model_fields_set} | dict(assigned)
    try:
        read = type(section).model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_messages(error, at))) from error
    return {name: getattr(read, name) for name in assigned}


def _messages(error: ValidationError, at: Path) -> Iterable[str]:
    for line in error.errors(include_url=False):
        yield f"{'.'.join(map(str, (*at, *line['loc'])))}: {line['msg']}"


def _unknown(path: Path, known: list[str]) -> UsageError:
    *at, name = path
    near = [".".join((*at, word)) for word in nearest(name, known, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}" if known else "it is empty"
    return UsageError(f"there is no {'.'.join(path)}; {hint}")
