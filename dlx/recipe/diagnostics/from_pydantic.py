"""The schema's errors as diagnostics: each at its place, alternatives of one value told once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dlx.component import field_names
from dlx.diagnostic import Diagnostic, Loc, Mark, sort_diagnostics
from dlx.recipe.diagnostics.messages import FieldError, Sections, explain, show_value, wrong_type
from dlx.recipe.diagnostics.places import Place, locate, locate_name, notes_of
from dlx.recipe.yaml.node import Node


@dataclass(frozen=True)
class _LocatedError:
    """An error, told in words, and where it stands."""

    place: Place
    mark: Mark
    loc: Loc
    problem: FieldError

    @property
    def is_alternative(self) -> bool:
        """Whether the error says what one alternative of a union would have been."""
        return bool(self.place.left) and self.problem.kind not in ("missing", "unknown_field")


def diagnostics_of(error: ValidationError, root: Node, sections: Sections) -> list[Diagnostic]:
    """Return one diagnostic for everything that the schema finds wrong, sorted by place; `sections` holds the field
    names of each section of a recipe.
    """
    found = [_find(line, root) for line in error.errors(include_url=False)]
    found = [_with_missing_field(f, found, sections) for f in found]
    found = [f for f in found if not _follows_from_typo(f, found) and not _is_outdone(f, found)]
    diagnostics = []
    for group in _by_value(found):
        code, message, suggestion = _explain(group, sections)
        first = group[0]
        notes = notes_of(first.place.node)
        diagnostics.append(Diagnostic.from_mark(first.mark, code, message, suggestion, first.loc, notes))
    return sort_diagnostics(diagnostics)


def _find(line: Any, root: Node) -> _LocatedError:
    kind, loc, value, context = line["type"], line["loc"], line["input"], line.get("ctx", {})
    at_parent = kind in ("missing", "unknown_field")
    place = locate(root, loc[:-1]) if at_parent else locate(root, loc, value)
    field = str(loc[-1]) if at_parent else _last_name(place.loc, loc)
    holder = _holder(place, value, kind) if at_parent else place
    mark, spelled = holder.name_mark, holder.loc
    if kind == "unknown_field":
        child = _field(place, field)
        if child is not None:
            place, mark, spelled = child, child.key or mark, child.loc
            holder = locate(root, spelled[:-1])
    elif kind in ("unknown_type", "wrong_family", "missing_package", "no_primary"):
        place = locate_name(place, str(context.get("name", "")))
        mark, spelled = _key_or_value(place, str(context.get("name", ""))), place.loc
    elif kind != "missing":
        mark = place.mark
        if place.left and isinstance(value, str) and value in place.node.keys:  # a key gave it: `{stem: {conv: …}}`
            mark, field, spelled = place.node.keys[value], str(loc[-1]), (*spelled, value)
    shown = "***" if place.node.secret else show_value(value)
    problem = FieldError(kind, context, value, line["msg"], field, _owner(holder, root, kind, value), shown)
    return _LocatedError(place, mark, spelled, problem)


def _last_name(spelled: Loc, loc: Loc) -> str:
    names = [str(p) for p in spelled if isinstance(p, str)] or [str(p) for p in loc]
    return names[-1] if names else "recipe"


def _holder(place: Place, value: Any, kind: str) -> Place:
    """Return the place of the component that lacks a field: behind the key that names its type."""
    own = place.node.child("type")
    kind_name = value.get("type") if kind == "missing" and own is None and isinstance(value, dict) else None
    return locate_name(place, kind_name) if isinstance(kind_name, str) else place


def _field(place: Place, field: str) -> Place | None:
    found = locate(place.node, (field,))
    if found.left or not found.loc:
        return None
    return Place(found.node, found.key, (*place.loc, *found.loc), skipped=place.skipped)


def _key_or_value(place: Place, name: str) -> Mark:
    return place.key if place.loc and place.loc[-1] == name and place.key is not None else place.mark


def _owner(place: Place, root: Node, kind: str, value: Any) -> str:
    if place.node is root:
        return "the recipe"
    kind_name = value.get("type") if kind == "missing" and isinstance(value, dict) else None
    own = place.node.child("type")
    name = kind_name or (own.value if own is not None else None) or _last_name(place.loc, ())
    return f"`{name}`"


def _with_missing_field(found: _LocatedError, everything: list[_LocatedError], sections: Sections) -> _LocatedError:
    """Return the error of an unknown field, which means the one field that is missing in the same place, if any is."""
    problem = found.problem
    in_component = "type" in problem.context.get("known", ())
    elsewhere = not in_component and any(problem.field in (name, *fields) for name, fields in sections.items())
    if problem.kind != "unknown_field" or problem.context.get("suggestion") or elsewhere:
        return found
    missing = [f.problem.field for f in everything if f.problem.kind == "missing" and f.loc == found.loc[:-1]]
    unknown = [f for f in everything if f.problem.kind == "unknown_field" and f.loc[:-1] == found.loc[:-1]]
    if len(missing) != 1 or len(unknown) != 1:
        return found
    return replace(found, problem=replace(problem, context={**problem.context, "suggestion": missing[0]}))


def _follows_from_typo(found: _LocatedError, everything: list[_LocatedError]) -> bool:
    """Whether a field is missing only because its name is mistyped next to it."""
    if found.problem.kind != "missing":
        return False
    typos = [f for f in everything if f.problem.kind == "unknown_field" and f.loc[:-1] == found.loc]
    return any(f.problem.context.get("suggestion") == found.problem.field for f in typos)


def _is_outdone(found: _LocatedError, everything: list[_LocatedError]) -> bool:
    """Whether another alternative of the same union got further: it speaks of a part of the value."""
    if not found.is_alternative or not found.problem.expected_values:
        return False
    return any(found.place.node is node for other in everything for node in other.place.skipped)


def _by_value(found: list[_LocatedError]) -> list[list[_LocatedError]]:
    """Put the alternatives of one value together; if one of them accepts its kind, only that one counts."""
    groups: dict[tuple[int, int], list[_LocatedError]] = {}
    for i, f in enumerate(found):
        groups.setdefault((id(f.place.node), -1) if f.is_alternative else (id(f.place.node), i), []).append(f)
    return [[f for f in group if not f.problem.expected_values][:1] or group for group in groups.values()]


def _explain(group: list[_LocatedError], sections: Sections) -> tuple[str, str, str]:
    problems = [f.problem for f in group]
    return wrong_type(problems) if all(p.expected_values for p in problems) else explain(problems[0], sections)


def sections_of(schema: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Return the field names of every section of a schema; of a component's, those that all of its family have."""
    found: dict[str, tuple[str, ...]] = {}
    for name, field in schema.model_fields.items():
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if hasattr(t, "model_fields")]
        found[name] = tuple(f for t in inner for f in field_names(t) if f != "type")
    return found
