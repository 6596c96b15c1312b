"""Diagnostics: what is wrong with a recipe, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from dlx.errors import Loc
from dlx.recipe.node import Mark


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
    """Return each diagnostic once, sorted by place."""
    return sorted(dict.fromkeys(diagnostics), key=lambda d: (d.file, d.line, d.column, d.code))


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return the diagnostics as plain values for tools."""
    fields = ("file", "line", "column", "path", "code", "message", "suggestion")
    return [{name: getattr(d, name) for name in fields} for d in in_order(diagnostics)]


def redact(text: str, secrets: Collection[str]) -> str:
    """Replace every value that came from the environment by ***."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if secret else text
    return text


def redacted(diagnostic: Diagnostic, secrets: Collection[str]) -> Diagnostic:
    """Return the diagnostic without any value that came from the environment."""
    message, suggestion = redact(diagnostic.message, secrets), redact(diagnostic.suggestion, secrets)
    return replace(
        diagnostic, message=message, suggestion=suggestion, source_line=redact(diagnostic.source_line, secrets)
    )
