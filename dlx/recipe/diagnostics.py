"""Diagnostics: what is wrong with a recipe, where, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO, get_args

from dlx.errors import Loc
from dlx.recipe.node import Mark, Node

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from dlx.recipe.compose import Composed

_SHORT = 4
"""A secret of fewer characters is too likely to occur by chance inside other words."""


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong, at one place; line and column count from 1, 0 where a file as a whole is meant."""

    file: str
    line: int
    column: int
    path: str
    code: str
    message: str
    suggestion: str = ""
    source_line: str = ""
    length: int = 1
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: error[{self.code}]: {self.message}" + (f" ({self.suggestion})" if self.suggestion else "")

    @property
    def place(self) -> tuple[str, int, int, str]:
        """File, line and column, and the line itself: every override is line 1 of the command line."""
        return self.file, self.line, self.column, self.source_line

    @classmethod
    def of(
        cls, mark: Mark, code: str, message: str, suggestion: str = "", loc: Loc = (), notes: tuple[str, ...] = ()
    ) -> Diagnostic:
        """Make a diagnostic that points at a mark."""
        length = max(1, mark.end_column - mark.column)
        source_line = mark.source.line(mark.line)
        path = dotted(loc)
        return cls(mark.file, mark.line, mark.column, path, code, message, suggestion, source_line, length, notes)


def dotted(loc: Loc) -> str:
    """Write a path as an override would: `model.layers.0`."""
    return ".".join(map(str, loc))


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the diagnostics sorted by place; what is wrong in a block is told once, however often it is used."""
    once = {(*d.place, d.code, d.message): d for d in reversed(list(diagnostics))}
    return sorted(once.values(), key=lambda d: (d.file, d.line, d.column, d.code, d.message))


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return the diagnostics as plain values for tools."""
    fields = ("file", "line", "column", "path", "code", "message", "suggestion")
    return [{name: getattr(d, name) for name in fields} for d in in_order(diagnostics)]


def notes_of(node: Node) -> tuple[str, ...]:
    """Say where the value of a node came from, and what it replaced."""
    origin = [f"its value is set in {mark}" for mark in node.origin]
    replaced = [f"it replaces what is set in {mark}" for mark in reversed(node.history)]
    used = [f"in the block used in {mark}" for mark in node.via]
    return (*origin, *replaced, *used)


def at(
    recipe: Composed | Node,
    loc: Loc,
    message: str,
    code: str,
    suggestion: str = "",
    notes: tuple[str, ...] = (),
) -> Diagnostic:
    """Make a diagnostic for what is found wrong later: it points at the name of the component or the value at `loc`.

    Of a layer that nobody wrote, such as one of a named architecture, it says where inside of that it stands.
    """
    from dlx.recipe.places import locate

    root, secrets = _parts(recipe)
    place = locate(root, loc)
    inside = next((place.left[i - 1 :] for i, part in enumerate(place.left) if i and isinstance(part, int)), ())
    message += f" (in its {dotted(inside)})" if inside else ""
    diagnostic = Diagnostic.of(place.name_mark, code, message, suggestion, place.loc, (*notes, *notes_of(place.node)))
    return redacted(diagnostic, secrets)


def from_validation(
    error: ValidationError, recipe: Composed | Node, sections: Mapping[str, Collection[str]]
) -> list[Diagnostic]:
    """Return everything that the schema finds wrong; `sections` holds the field names of each section of a recipe."""
    from dlx.recipe.validation import diagnostics_of

    return diagnostics_of(error, _parts(recipe)[0], sections, _parts(recipe)[1])


def sections_of(schema: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Return the field names of every section of a schema; of a component's, those that all of its family have."""
    from dlx.component import field_names

    found: dict[str, tuple[str, ...]] = {}
    for name, field in schema.model_fields.items():
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if hasattr(t, "model_fields")]
        found[name] = tuple(f for t in inner for f in field_names(t) if f != "type")
    return found


def render(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Print the diagnostics as frames, by default to stderr; in colour on a terminal, unless NO_COLOR is set."""
    from dlx.recipe.frames import write

    write(in_order(diagnostics), stream)


def redact(text: str, secrets: Collection[str], instead: str = "***") -> str:
    """Replace every value that came from the environment by stars; a short one only where it stands as a word."""
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) >= _SHORT else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, lambda _: instead, text) if secret else text
    return text


def redacted(diagnostic: Diagnostic, secrets: Collection[str]) -> Diagnostic:
    """Return the diagnostic without any value that came from the environment; columns stay right."""
    line = diagnostic.source_line
    for secret in (s for s in secrets if len(s) >= _SHORT):
        line = line.replace(secret, "*" * len(secret))
    message, suggestion = redact(diagnostic.message, secrets), redact(diagnostic.suggestion, secrets)
    return replace(diagnostic, message=message, suggestion=suggestion, source_line=line)


def _parts(recipe: Composed | Node) -> tuple[Node, Collection[str]]:
    return (recipe, ()) if isinstance(recipe, Node) else (recipe.root, recipe.secrets)
