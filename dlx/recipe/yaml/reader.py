"""The parser's events to marked nodes, in bounded time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from dlx.diagnostic import Diagnostic, Loc, Mark, Source, sort_diagnostics
from dlx.errors import RecipeError
from dlx.recipe.yaml.node import MAX_DEPTH, MAX_NODES, Node
from dlx.recipe.yaml.scalars import AmbiguousError, resolve

MAX_ALIASES = 100
_SURROGATE = re.compile("[\ud800-\udfff]")
QUOTE = "put it in quotes if it is text"


@dataclass(slots=True)
class _Open:
    """A mapping or list at the path `loc` whose end has not come yet; `key` waits for its value."""

    node: Node
    anchor: str | None
    loc: Loc
    key: str | None = None

    @property
    def child(self) -> str | int | None:
        """Name or number of the child that comes next; None where a name is still awaited."""
        return len(self.node.value) if isinstance(self.node.value, list) else self.key


@dataclass
class Reader:
    """Turns events into nodes without recursion, counting as it goes.

    What makes the rest unreadable ends the reading; a duplicate key or an ambiguous number is only put into `problems`.
    """

    source: Source
    root: Node | None = None
    problems: list[Diagnostic] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int, int]] = field(default_factory=dict)
    count: int = 0
    aliases: int = 0

    def read(self) -> Node | None:
        """Return the one value in the text; None where there is none.

        Raises: RecipeError, yaml.YAMLError where there is no reading on.
        """
        parser = _parser(self.source.text)
        documents = 0
        while parser.check_event():
            event = parser.get_event()
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                self._stop(
                    self._mark(event),
                    "DLX111",
                    "a recipe is one document, but `---` begins another",
                    "use one file each",
                )
            self._take(event)
        return self.root

    @property
    def loc(self) -> Loc:
        """The path of what is being read."""
        if not self.stack:
            return ()
        top = self.stack[-1]
        return top.loc if top.child is None else (*top.loc, top.child)

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._begin_node(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        last = end.column if end.line == start.line else len(self.source.line(start.line + 1).rstrip())
        return Mark(self.source, start.line + 1, start.column + 1, max(last, start.column + 1) + 1)

    def _scalar(self, event: Any) -> None:
        mark = self._mark(event)
        self._refuse_tag(event, mark)
        plain = event.implicit[0]
        if not plain and _SURROGATE.search(event.value):
            self._note(mark, "DLX102", "half of a surrogate pair is not text", "write the character itself")
        if self._wants_key():
            self._key(event.value, plain, mark)
            return
        value = event.value
        try:
            value = resolve(value) if plain else value
        except AmbiguousError as error:
            self._note(mark, "DLX106", str(error), error.suggestion)
        self._add(Node(value, mark), event.anchor)

    def _key(self, text: str, plain: bool, mark: Mark) -> None:
        top = self.stack[-1]
        top.key = text
        if plain and text == "<<":
            self._stop(
                mark,
                "DLX108",
                "merge keys `<<` are not part of the recipe language",
                "use `extends`, or write the fields out",
            )
        elif plain and text in ("", "~", "null"):
            self._note(mark, "DLX113", "a key is a name, but here there is none", "write the name before the colon")
        elif text in top.node.keys:
            first = top.node.keys[text]
            self._note(
                mark,
                "DLX105",
                f"'{text}' is given twice",
                "keep one of them",
                (f"first given at {first}:{first.column}",),
            )
        top.node.keys[text] = mark
        self._grow(1, mark)

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node.value, dict) and self.stack[-1].key is None

    def _refuse_tag(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._note(
                mark,
                "DLX107",
                f"tags such as {tag[:40]} are not part of the recipe language",
                "leave the tag out; " + QUOTE,
            )

    def _begin_node(self, event: Any) -> None:
        mark = self._mark(event)
        self._refuse_tag(event, mark)
        if self._wants_key():
            self._stop(
                mark,
                "DLX113",
                "a key is a name, but this is a mapping or list",
                "put the name in quotes if it holds { or [",
            )
        if len(self.stack) >= MAX_DEPTH:
            self._stop(mark, "DLX110", f"this is nested more than {MAX_DEPTH} levels deep", "close what is open")
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], mark)
        loc = self.loc
        self._add(node, None)
        self.stack.append(_Open(node, event.anchor, loc))

    def _close(self, event: Any) -> None:
        done = self.stack.pop()
        mark, end = done.node.mark, event.end_mark
        if end.line + 1 == mark.line and end.column > mark.column:
            done.node.mark = Mark(mark.source, mark.line, mark.column, end.column + 1)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, *done.node.size())

    def _alias(self, event: Any) -> None:
        mark = self._mark(event)
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self._stop(mark, "DLX109", f"a recipe may use at most {MAX_ALIASES} aliases", "use `vars` or `blocks`")
        if self._wants_key():
            self._stop(mark, "DLX113", "a key is a name, not an alias", "write the name")
        if any(o.anchor == event.anchor for o in self.stack):
            self._stop(mark, "DLX109", f"'*{event.anchor}' holds itself", "refer to something that is complete")
        if event.anchor not in self.anchors:
            self._stop(mark, "DLX109", f"there is no anchor '&{event.anchor}' before this alias", QUOTE)
        node, count, depth = self.anchors[event.anchor]
        if len(self.stack) + depth > MAX_DEPTH:
            self._stop(mark, "DLX110", f"with this alias the recipe is nested more than {MAX_DEPTH} levels deep")
        self._grow(count, mark)
        self._add(node.copy(), None)

    def _grow(self, count: int, mark: Mark) -> None:
        self.count += count
        if self.count > MAX_NODES:
            self._stop(mark, "DLX103", f"a recipe may hold at most {MAX_NODES:,} values, aliases written out")

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

    def _note(self, mark: Mark, code: str, message: str, suggestion: str = "", notes: tuple[str, ...] = ()) -> None:
        self.problems.append(Diagnostic.from_mark(mark, code, message, suggestion, self.loc, notes))

    def _stop(self, mark: Mark, code: str, message: str, suggestion: str = "") -> NoReturn:
        self._note(mark, code, message, suggestion)
        raise RecipeError(sort_diagnostics(self.problems))


def _parser(text: str) -> Any:
    """Return libyaml's event parser, or PyYAML's own where libyaml is absent."""
    return yaml.CSafeLoader(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)
