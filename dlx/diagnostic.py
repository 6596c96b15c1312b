"""Diagnostics: one thing that is wrong, where it stands, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

Loc = tuple[str | int, ...]
_SHORT = 4
"""A secret of fewer characters is too likely to occur by chance inside other words."""
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name of the file that it came from."""

    file: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        """The lines as the YAML library counts them."""
        return _BREAK.split(self.text)

    def line(self, number: int) -> str:
        """Return a line, counted from 1; an empty one beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a line: from `column` up to, not including, `end_column`, both counted from 1."""

    source: Source
    line: int = 1
    column: int = 1
    end_column: int = 2

    @property
    def file(self) -> str:
        """The file that holds the line."""
        return self.source.file

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


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
    def from_mark(
        cls, mark: Mark, code: str, message: str, suggestion: str = "", loc: Loc = (), notes: tuple[str, ...] = ()
    ) -> Diagnostic:
        """Make a diagnostic that points at a mark."""
        length = max(1, mark.end_column - mark.column)
        source_line = mark.source.line(mark.line)
        path = dotted_path(loc)
        return cls(mark.file, mark.line, mark.column, path, code, message, suggestion, source_line, length, notes)


def dotted_path(loc: Loc) -> str:
    """Write a path as an override would: `model.layers.0`."""
    return ".".join(map(str, loc))


def sort_diagnostics(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the diagnostics sorted by place; what is wrong in a block is told once, however often it is used."""
    once = {(*d.place, d.code, d.message): d for d in reversed(list(diagnostics))}
    return sorted(once.values(), key=lambda d: (d.file, d.line, d.column, d.code, d.message))


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return the diagnostics as plain values for tools."""
    fields = ("file", "line", "column", "path", "code", "message", "suggestion")
    return [{name: getattr(d, name) for name in fields} for d in sort_diagnostics(diagnostics)]


def redact(text: str, secrets: Collection[str], instead: str = "***") -> str:
    """Replace every value that came from the environment by stars; a short one only where it stands as a word."""
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) >= _SHORT else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, lambda _: instead, text) if secret else text
    return text


def redact_diagnostic(diagnostic: Diagnostic, secrets: Collection[str]) -> Diagnostic:
    """Return the diagnostic without any value that came from the environment; columns stay right."""
    line = diagnostic.source_line
    for secret in (s for s in secrets if len(s) >= _SHORT):
        line = line.replace(secret, "*" * len(secret))
    message, suggestion = redact(diagnostic.message, secrets), redact(diagnostic.suggestion, secrets)
    return replace(diagnostic, message=message, suggestion=suggestion, source_line=line)
