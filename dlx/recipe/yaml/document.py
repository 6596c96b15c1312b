"""YAML text to marked nodes, in bounded time, with one meaning for every word.

Works on the parser's events, not on PyYAML's constructors: only strings, numbers, mappings and lists are ever built.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from dlx.diagnostic import Diagnostic, Loc, Mark, Source, dotted_path, sort_diagnostics
from dlx.errors import RecipeError
from dlx.os_errors import os_reason, shorten_path
from dlx.recipe.yaml.node import Node
from dlx.recipe.yaml.reader import QUOTE, Reader

__all__ = ["Document", "Mark", "Node", "Source", "parse", "parse_value", "read"]

MAX_BYTES = 1 << 19
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Document:
    """A YAML file, read."""

    source: Source
    root: Node

    def plain(self) -> dict[str, Any]:
        """Return the values without places, in plain Python."""
        values: dict[str, Any] = self.root.plain()
        return values


def read(path: str | Path, asked_by: Mark | None = None, problems: list[Diagnostic] | None = None) -> Document:
    """Read a recipe from a file. Raises: RecipeError with diagnostics.

    An unreadable file is blamed on `asked_by`, the place that names it. What is wrong but does not keep the rest from
    being read is put into `problems` where there is such a list.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, asked_by) from None
    return parse(_decode(data, str(path)), str(path), problems)


def parse(text: str, file: str, problems: list[Diagnostic] | None = None) -> Document:
    """Read a recipe from text. Raises: RecipeError with a diagnostic if it is not one mapping in well-formed YAML."""
    source = Source(file, text.removeprefix("\ufeff"))
    root = parse_value(source, problems)
    if problems and not (root and isinstance(root.value, dict)):
        raise RecipeError(sort_diagnostics(problems))
    if root is None:
        _fail(Mark(source), "DLX112", f"{file} is empty", "write at least `task`, `data` and `model`")
    if not isinstance(root.value, dict):
        what = "a list" if isinstance(root.value, list) else "a single value"
        _fail(
            root.mark, "DLX112", f"a recipe is a mapping of sections, but this is {what}", "write `name: value` lines"
        )
    return Document(source, root)


def parse_value(source: Source, problems: list[Diagnostic] | None = None) -> Node | None:
    """Read any one YAML value; None where the text holds none. Raises: RecipeError with diagnostics."""
    if len(source.text) > MAX_BYTES:
        raise _too_large(source.file)
    found = _UNPRINTABLE.search(source.text)
    if found:
        _refuse_character(source, found.start())
    reader = Reader(source)
    try:
        root = reader.read()
    except yaml.YAMLError as error:
        raise RecipeError(sort_diagnostics([*reader.problems, _syntax(source, error, reader.loc)])) from None
    if problems is None and reader.problems:
        raise RecipeError(sort_diagnostics(reader.problems))
    if problems is not None:
        problems += reader.problems
    return root


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _too_large(file)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _whole(file, "DLX102", f"{file} is UTF-16 text", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        source = Source(file, data.decode("utf-8", errors="replace"))
        mark = _mark_at(source, len(before))
        _fail(mark, "DLX102", f"{file} is not UTF-8 text: byte 0x{data[error.start]:02x}", "save it as UTF-8")


def _mark_at(source: Source, index: int) -> Mark:
    before = Source("", source.text[:index]).lines
    return Mark(source, len(before), len(before[-1]) + 1, len(before[-1]) + 2)


def _refuse_character(source: Source, index: int) -> NoReturn:
    code = ord(source.text[index])
    name = "a NUL byte" if code == 0 else f"the control character U+{code:04X}"
    _fail(
        _mark_at(source, index), "DLX102", f"{name} is not text", 'remove it, or write it as "\\x.." in double quotes'
    )


def _unreadable(path: Path, error: Exception, asked_by: Mark | None) -> RecipeError:
    suggestion = ""
    if isinstance(error, FileNotFoundError):
        message = f"there is no file {path}" + ("" if path.suffix else ", and no recipe of this name in the gallery")
        suggestion = _similar_file(path)
    elif isinstance(error, IsADirectoryError):
        message, suggestion = f"{path} is a folder, not a recipe", "name a .yaml file in it"
    else:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        message = f"{shorten_path(path)!r} cannot be read: {reason}"
    if asked_by is None:
        return _whole(str(path), "DLX101", message, suggestion)
    return RecipeError([Diagnostic.from_mark(asked_by, "DLX101", message, suggestion)])


def _similar_file(path: Path) -> str:
    from dlx.nearest import nearest
    from dlx.recipe.gallery import nearest_recipe

    try:
        near = nearest(path.name, [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")])
    except OSError:
        near = []
    if near:
        return f"did you mean {path.with_name(near[0])}?"
    known = nearest_recipe(path)
    return f"did you mean {known}, which `dlx list recipes` names?" if known else ""


def _whole(file: str, code: str, message: str, suggestion: str = "") -> RecipeError:
    return RecipeError([Diagnostic(file, 0, 0, "", code, message, suggestion)])


def _too_large(file: str) -> RecipeError:
    return _whole(file, "DLX103", f"{file} is larger than a recipe may be ({MAX_BYTES >> 10} KiB)")


def _fail(mark: Mark, code: str, message: str, suggestion: str = "", notes: tuple[str, ...] = ()) -> NoReturn:
    raise RecipeError([Diagnostic.from_mark(mark, code, message, suggestion, notes=notes)])


def _syntax(source: Source, error: yaml.YAMLError, loc: Loc) -> Diagnostic:
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "this is not YAML"
    context = getattr(error, "context", None)
    plain = _IN_WORDS.get(str(problem))
    message = plain or (f"{problem}, {context}" if context else str(problem))
    if place is None:
        return Diagnostic(source.file, 1, 1, dotted_path(loc), "DLX104", message, source_line=source.line(1))
    mark = _within(source, place.line + 1, place.column + 1)
    began = getattr(error, "context_mark", None)
    earlier = began is not None and began.line < place.line and began.line + 1 != mark.line
    notes = (f"it began at {source.file}:{began.line + 1}",) if began is not None and earlier else ()
    return Diagnostic.from_mark(mark, "DLX104", message, _advice(source, place), loc, notes)


_IN_WORDS = {
    "mapping values are not allowed in this context": "a `:` is not expected here: is the line indented like those "
    "before it, and is text that holds `: ` in quotes?",
    "did not find expected node content": "a value is missing here",
    "did not find expected key": "this line is neither a name with a colon nor indented like those before it",
    "did not find expected '-' indicator": "this line is no item of the list above: is it indented as it should be?",
    "did not find expected ',' or ']'": "the list in brackets needs a comma or a `]` here",
    "did not find expected ',' or '}'": "the mapping in braces needs a comma or a `}` here",
    "found character that cannot start any token": "no value can begin like this",
    "found unexpected end of stream": "the quotes are not closed",
}
"""What the parser's messages mean to someone who does not know its grammar."""


def _within(source: Source, line: int, column: int) -> Mark:
    """Return a mark; one at the end of the text moves back to the end of the last line that holds something."""
    if not any(text.strip() for text in source.lines[line - 1 :]):
        line = max((i for i, text in enumerate(source.lines, 1) if text.strip()), default=1)
        column = len(source.line(line).rstrip()) + 1
    return Mark(source, line, column, column + 1)


def _advice(source: Source, place: Any) -> str:
    line = source.line(place.line + 1)
    if line[: place.column + 1].strip(" ").startswith("\t"):
        return "indent with spaces, not tabs"
    if "${" in line:
        return 'put references in quotes: "${…}"'
    if line[place.column : place.column + 1] in ("@", "`", "%") and place.column:
        return QUOTE
    return ""
