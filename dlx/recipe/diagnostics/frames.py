"""Diagnostics as a compiler prints them: the place, the line, a caret, and what to do."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable
from typing import TextIO

from dlx.console import FALLBACK, new_console, printable, styled_text
from dlx.diagnostic import Diagnostic, sort_diagnostics

_WIDTH = 100
_Parts = list[tuple[str, str]]
"""Pieces of text, each with its style."""


def render(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Print one frame for each diagnostic and a line that counts them, by default to stderr; in color on a terminal,
    unless NO_COLOR is set.
    """
    diagnostics = sort_diagnostics(diagnostics)
    stream = stream or sys.stderr
    in_color = stream.isatty() and not os.environ.get("NO_COLOR")
    for diagnostic in diagnostics:
        _print(frame(diagnostic), stream, in_color)
    many = f"{len(diagnostics)} errors" if len(diagnostics) != 1 else "1 error"
    codes = sorted({d.code for d in diagnostics})
    closing = f"{many}; `dlx show error {codes[0]}` explains {codes[0]}" if codes else many
    _print([(closing, "bold")], stream, in_color)


def frame(diagnostic: Diagnostic) -> _Parts:
    """Return the frame of one diagnostic as styled pieces."""
    d = diagnostic
    gutter = " " * len(str(d.line)) if d.line else " "
    parts: _Parts = [(f"error[{d.code}]", "bold red"), (f": {_printable(d.message)}\n", "bold")]
    place = f"{d.file}:{d.line}:{d.column}" if d.line else d.file
    parts += [(f"{gutter}--> ", "bold blue"), (f"{_printable(place)}\n", "")]
    if d.source_line:
        line, before, length = _window(d)
        parts += [(f"{gutter} |\n{d.line} | ", "bold blue"), (f"{line}\n", "")]
        parts += [(f"{gutter} | ", "bold blue"), (" " * before + "^" * length + "\n", "bold red")]
    parts += [piece for note in d.notes for piece in _remark(gutter, "note", note)]
    parts += _remark(gutter, "help", d.suggestion) if d.suggestion else []
    return parts


def _remark(gutter: str, kind: str, text: str) -> _Parts:
    return [(f"{gutter} = ", "bold blue"), (kind, "bold"), (f": {_printable(text)}\n", "")]


def _window(d: Diagnostic) -> tuple[str, int, int]:
    """Return the part of the line to show, the width before the caret, and the width of the caret."""
    start = max(0, d.column - 1 - _WIDTH // 2) if len(d.source_line) > _WIDTH else 0
    shown = d.source_line[start : start + _WIDTH].rstrip()
    before = shown[: d.column - 1 - start]
    under = shown[len(before) : len(before) + d.length]
    left = "…" if start else ""
    right = "…" if len(d.source_line.rstrip()) > start + _WIDTH else ""
    width = max(1, _columns(_printable(under)))
    return left + _printable(shown) + right, len(left) + _columns(_printable(before)), width


def _printable(text: str) -> str:
    """Return a text on one line, a tab as one blank, so that the caret stands where it should."""
    return printable(text.replace("\t", " ").replace("\n", "\\n"))


def _columns(text: str) -> int:
    """Columns that a terminal uses for a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _print(parts: _Parts, stream: TextIO, in_color: bool) -> None:
    if not in_color:
        text = "".join(text for text, _ in parts)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, FALLBACK).decode(encoding) + "\n")
        return

    new_console(file=stream, force_terminal=True).print(styled_text(*parts), soft_wrap=True)
