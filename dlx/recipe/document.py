"""YAML text to marked nodes, in bounded time, with one meaning for every word.

Works on the parser's events, not on PyYAML's constructors: nothing is ever built but strings, numbers, mappings and lists.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from dlx.errors import RecipeError
from dlx.recipe.diagnostics import Diagnostic
from dlx.recipe.node import MAX_DEPTH, MAX_NODES, Mark, Node, Source
from dlx.recipe.scalars import AmbiguousError, resolve

__all__ = ["Document", "Mark", "Node", "Source", "parse", "parse_value", "read"]

MAX_BYTES = 1 << 19
MAX_ALIASES = 100
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_QUOTE = "put it in quotes if it is text"


@dataclass(frozen=True)
class Document:
    """A YAML file, read."""

    source: Source
    root: Node

    def plain(self) -> dict[str, Any]:
        """Return the values without places, in plain Python."""
        values: dict[str, Any] = self.root.plain()
        return values


def read(path: str | Path, asked_by: Mark | None = None) -> Document:
    """Read a recipe from a file. Raises: RecipeError with a diagnostic; it points at `asked_by` if there is no such file."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, asked_by) from None
    return parse(_decode(data, str(path)), str(path))


def parse(text: str, file: str) -> Document:
    """Read a recipe from text. Raises: RecipeError with a diagnostic if it is not one mapping in well-formed YAML."""
    source = Source(file, text.removeprefix("\ufeff"))
    root = parse_value(source)
    if root is None:
        _fail(Mark(source), "DLX112", f"{file} is empty", "write at least `task`, `data` and `model`")
    if not isinstance(root.value, dict):
        what = "a list" if isinstance(root.value, list) else "a single value"
        _fail(root.mark, "DLX112", f"a recipe is a mapping of sections, but this is {what}", "write `name: value` lines")
    return Document(source, root)


def parse_value(source: Source) -> Node | None:
    """Read any one YAML value; None where the text holds none. Raises: RecipeError with a diagnostic."""
    if len(source.text) > MAX_BYTES:
        raise _too_large(source.file)
    found = _UNPRINTABLE.search(source.text)
    if found:
        _refuse_character(source, found.start())
    try:
        return _Reader(source).read()
    except yaml.YAMLError as error:
        raise RecipeError([_syntax(source, error)]) from None


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
    _fail(_mark_at(source, index), "DLX102", f"{name} is not text", 'remove it, or write it as "\\x.." in double quotes')


def _unreadable(path: Path, error: Exception, asked_by: Mark | None) -> RecipeError:
    suggestion = ""
    if isinstance(error, FileNotFoundError):
        message = f"there is no file {path}"
        suggestion = _similar_file(path)
    elif isinstance(error, IsADirectoryError):
        message, suggestion = f"{path} is a folder, not a recipe", "name a .yaml file in it"
    else:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{str(path)!r} cannot be read: {reason}"
    if asked_by is None:
        return _whole(str(path), "DLX101", message, suggestion)
    return RecipeError([Diagnostic.of(asked_by, "DLX101", message, suggestion)])


def _similar_file(path: Path) -> str:
    from dlx.component import nearest

    try:
        near = nearest(path.name, [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")])
    except OSError:
        return ""
    return f"did you mean {path.with_name(near[0])}?" if near else ""


def _whole(file: str, code: str, message: str, suggestion: str = "") -> RecipeError:
    return RecipeError([Diagnostic(file, 0, 0, "", code, message, suggestion)])


def _too_large(file: str) -> RecipeError:
    return _whole(file, "DLX103", f"{file} is larger than a recipe may be ({MAX_BYTES >> 10} KiB)")


def _fail(
    mark: Mark, code: str, message: str, suggestion: str = "", notes: tuple[str, ...] = ()
) -> NoReturn:
    raise RecipeError([Diagnostic.of(mark, code, message, suggestion, notes=notes)])


def _syntax(source: Source, error: yaml.YAMLError) -> Diagnostic:
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "this is not YAML"
    context = getattr(error, "context", None)
    message = f"{problem}, {context}" if context else str(problem)
    if place is None:
        return Diagnostic(source.file, 1, 1, "", "DLX104", message, source_line=source.line(1))
    mark = Mark(source, place.line + 1, place.column + 1, place.column + 2)
    began = getattr(error, "context_mark", None)
    notes = (f"it began at {source.file}:{began.line + 1}",) if began is not None and began.line != place.line else ()
    return Diagnostic.of(mark, "DLX104", message, _advice(source, place), notes=notes)


def _advice(source: Source, place: Any) -> str:
    line = source.line(place.line + 1)
    if line[: place.column + 1].strip(" ").startswith("\t"):
        return "indent with spaces, not tabs"
    if "${" in line:
        return 'put references in quotes: "${…}"'
    if line[place.column : place.column + 1] in ("@", "`", "%", "*", "&", "!"):
        return _QUOTE
    return ""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet; `key` waits for its value."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_mark: Mark | None = None


@dataclass
class _Reader:
    """Turns the parser's events into nodes without recursion, counting as it goes."""

    source: Source
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int, int]] = field(default_factory=dict)
    root: Node | None = None
    count: int = 0
    aliases: int = 0

    def read(self) -> Node | None:
        parser = _parser(self.source.text)
        documents = 0
        while parser.check_event():
            event = parser.get_event()
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                _fail(self._mark(event), "DLX111", "a recipe is one document, but `---` begins another", "use one file each")
            self._take(event)
        return self.root

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        line = self.source.line(start.line + 1)
        last = end.column if end.line == start.line else len(line.rstrip())
        return Mark(self.source, start.line + 1, start.column + 1, max(last, start.column + 1) + 1)

    def _scalar(self, event: Any) -> None:
        mark = self._mark(event)
        self._refuse_tag(event, mark)
        plain = event.implicit[0]
        if self._wants_key():
            self._key(event.value, plain, mark)
            return
        try:
            value = resolve(event.value) if plain else event.value
        except AmbiguousError as error:
            _fail(mark, "DLX106", str(error), error.suggestion)
        self._add(Node(value, mark), event.anchor)

    def _key(self, text: str, plain: bool, mark: Mark) -> None:
        top = self.stack[-1]
        if plain and text == "<<":
            _fail(mark, "DLX108", "merge keys `<<` are not part of the recipe language", "use `extends`, or write the fields out")
        if plain and text in ("", "~", "null"):
            _fail(mark, "DLX113", "a key is a name, but here there is none", "write the name before the colon")
        if text in top.node.keys:
            first = top.node.keys[text]
            _fail(mark, "DLX105", f"'{text}' is given twice", "keep one of them", (f"first given at {first}:{first.column}",))
        top.key, top.key_mark = text, mark
        top.node.keys[text] = mark
        self._grow(1)

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node.value, dict) and self.stack[-1].key is None

    def _refuse_tag(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            _fail(mark, "DLX107", f"tags such as {tag[:40]} are not part of the recipe language", "leave the tag out; " + _QUOTE)

    def _open(self, event: Any) -> None:
        mark = self._mark(event)
        self._refuse_tag(event, mark)
        if self._wants_key():
            _fail(mark, "DLX113", "a key is a name, but this is a mapping or list", "put the name in quotes if it holds { or [")
        if len(self.stack) >= MAX_DEPTH:
            _fail(mark, "DLX110", f"this is nested more than {MAX_DEPTH} levels deep", "close what is open, or name parts as `blocks`")
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], mark)
        self._add(node, None)
        self.stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, *done.node.size())

    def _alias(self, event: Any) -> None:
        mark = self._mark(event)
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            _fail(mark, "DLX109", f"a recipe may use at most {MAX_ALIASES} aliases", "use `vars` or `blocks`")
        if self._wants_key():
            _fail(mark, "DLX113", "a key is a name, not an alias", "write the name")
        if any(o.anchor == event.anchor for o in self.stack):
            _fail(mark, "DLX109", f"'*{event.anchor}' holds itself", "refer to something that is complete")
        if event.anchor not in self.anchors:
            _fail(mark, "DLX109", f"there is no anchor '&{event.anchor}' before this alias", "")
        node, count, depth = self.anchors[event.anchor]
        if len(self.stack) + depth > MAX_DEPTH:
            _fail(mark, "DLX110", f"with this alias the recipe is nested more than {MAX_DEPTH} levels deep")
        self._grow(count, mark)
        self._add(node.copy(), None)

    def _grow(self, count: int, mark: Mark | None = None) -> None:
        self.count += count
        if self.count > MAX_NODES:
            raise _too_many(self.source, mark)

    def _add(self, node: Node, anchor: str | None) -> None:
        self._grow(1, node.mark)
        if anchor is not None:
            self.anchors[anchor] = (node, 1, 1)
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key is not None:
            top.node.value[top.key] = node
            top.key = None


def _too_many(source: Source, mark: Mark | None) -> RecipeError:
    message = f"a recipe may hold at most {MAX_NODES:,} values, aliases written out"
    return RecipeError([Diagnostic.of(mark or Mark(source), "DLX103", message)])


def _parser(text: str) -> Any:
    """Return libyaml's event parser, or PyYAML's own where libyaml is absent."""
    if yaml.__with_libyaml__:
        return yaml.CSafeLoader(text)
    return yaml.SafeLoader(text)
