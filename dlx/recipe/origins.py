"""Where every value of a recipe was written: in which file and line, on the command line, or by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dlx.diagnostic import Loc, dotted_path
from dlx.recipe.compose.stages import STAGES
from dlx.recipe.diagnostics.places import locate, notes_of
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.field_types import to_yaml


@dataclass(frozen=True)
class Origin:
    """A value of the recipe, where it was written, and what it replaced."""

    path: str
    value: Any
    place: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {to_yaml(self.value)}  # {'; '.join([self.place, *self.notes])}"


def origins_of(loaded: LoadedRecipe) -> list[Origin]:
    """Return the origin of every single value, in the order of the canonical form; stages one after the other."""
    found = []
    for name, part in (loaded.stages or {"": loaded}).items():
        origins = [_origin(part, loc, value) for loc, value in _values(part.to_stored(), ())]
        found += [replace(o, path=dotted_path((STAGES, name, o.path))) for o in origins] if name else origins
    return found


def _values(value: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from _values(inner, (*loc, key))
    else:
        yield loc, value


def _origin(loaded: LoadedRecipe, loc: Loc, value: Any) -> Origin:
    if loaded.composed is None:
        return Origin(dotted_path(loc), value, "a checkpoint")
    of_type = loc[-1] == "type"
    place = locate(loaded.composed.root, loc[:-1] if of_type else loc, value)
    bare = len(place.left) == 1 and place.node.value == value and len(place.loc) >= len(loc) - 1
    if not place.loc or (place.left and not bare):
        return Origin(dotted_path(loc), value, "default")
    mark = place.name_mark if of_type else place.mark
    return Origin(dotted_path(loc), value, str(mark), notes_of(place.node))
