"""Several recipes into one: `extends`, and what the command line overrides."""

from __future__ import annotations

import itertools
from dataclasses import replace

from dlx.diagnostic import Diagnostic, Mark, Source
from dlx.errors import RecipeError
from dlx.recipe.compose.spelling import as_mapping, component_type, family_of, is_by_role
from dlx.recipe.yaml.document import parse_value
from dlx.recipe.yaml.node import Node

COMMAND_LINE = "<command line>"


def merge(base: Node, later: Node, family: str = "") -> Node:
    """Return base changed by later: mappings merge by key, anything else is replaced and remembered.

    A component whose type changes is replaced whole, because the fields of one mean nothing to another; one whose type
    stays is changed field by field, however either is spelled. `family` is the one that both belong to.
    """
    if not isinstance(later.value, dict) or _is_another(base, later, family):
        return _replace(base, later)
    named = component_type(base, family), component_type(later, family)
    if any(named) and set(base.keys) != set(later.keys):
        base, later = as_mapping(base, family), as_mapping(later, family)
    if not isinstance(base.value, dict):
        return _replace(base, later)
    value, keys = dict(base.value), dict(base.keys)
    for key, node in (later.value if isinstance(later.value, dict) else {}).items():
        inner = family_of(key) or ("" if any(named) else family)
        value[key] = merge(value[key], node, inner) if key in value else node
        keys[key] = later.keys[key]
    return replace(later, value=value, keys=keys, history=(*base.history, *later.history))


def _replace(base: Node, later: Node) -> Node:
    return replace(later, history=(*base.history, base.mark, *later.history))


def _is_another(base: Node, later: Node, family: str) -> bool:
    """Whether one is not a change of the other: another type, or one for each role and the other for all."""
    old, new = component_type(base, family), component_type(later, family)
    if old and new:
        return old != new
    return (bool(old) and is_by_role(later, family)) or (is_by_role(base, family) and bool(new))


def override(root: Node, text: str) -> None:
    """Change the recipe in place by `a.b.c=value`. Raises: RecipeError with its place in the text."""
    source = Source(COMMAND_LINE, text)
    path, equals, _ = text.partition("=")
    if not equals:
        raise _wrong(Mark(source, 1, 1, len(text) + 1), f"'{text}' is not an override", f"write {path or 'name'}=value")
    marks = _segments(source, path)
    node, family = root, ""
    for (part, mark), (name, following) in itertools.pairwise(marks):
        family = family_of(part) or ("" if component_type(node, family) else family)
        node = _step(node, part, mark, following)
        if name not in node.keys:
            spelled = as_mapping(node, family)
            node.value, node.keys = spelled.value, spelled.keys
    _set(node, *marks[-1], _value(source, len(path) + 1))


def _segments(source: Source, path: str) -> list[tuple[str, Mark]]:
    marks = []
    column = 1
    for part in path.split("."):
        if not part.strip():
            raise _wrong(Mark(source, 1, column, column + 1), "a name is missing here", "write section.field=value")
        marks.append((part.strip(), Mark(source, 1, column, column + len(part))))
        column += len(part) + 1
    return marks


def _value(source: Source, start: int) -> Node:
    """Read what stands after the `=`; blanks in place of the path keep the columns right."""
    text = source.text[start:]
    place = Mark(source, 1, start + 1, max(start + 2, len(source.text) + 1))
    if text.lstrip().startswith(">"):  # a comparison such as >= 0.9: YAML would begin a folded text
        return Node(text.strip(), place)
    try:
        node = parse_value(Source(COMMAND_LINE, " " * start + text))
    except RecipeError as error:
        raise RecipeError([replace(d, source_line=source.line(d.line)) for d in error.diagnostics]) from None
    if node is None:
        raise _wrong(place, "there is no value after the `=`", "write null to remove a value, '' for an empty text")
    return _from(node, source)


def _from(node: Node, source: Source) -> Node:
    node.mark = replace(node.mark, source=source)
    node.keys = {key: replace(mark, source=source) for key, mark in node.keys.items()}
    for child in node.children:
        _from(child, source)
    return node


def _step(node: Node, part: str, mark: Mark, following: Mark) -> Node:
    """Go one level down, making the mapping that is missing; a bare name becomes a mapping with that type."""
    child = node.child(part)
    if child is None or child.value is None:
        child = Node({}, following, history=(child.mark,) if child else ())
        _set(node, part, mark, child)
    if isinstance(child.value, str):
        component_type = replace(child, history=())
        child.value, child.keys = {"type": component_type}, {"type": child.mark}
    if not isinstance(child.value, (dict, list)):
        raise _wrong(
            following, f"'{part}' is {child.plain()!r}, which has no fields", f"write {part}=… to replace it", "DLX208"
        )
    return child


def _set(node: Node, part: str, mark: Mark, value: Node) -> None:
    old = node.child(part)
    if old is not None:
        value.history = (*old.history, old.mark, *value.history)
    if isinstance(node.value, dict):
        node.value[part] = value
        node.keys[part] = mark
    elif isinstance(node.value, list) and old is not None:
        node.value[int(part)] = value
    else:
        size = len(node.value) if isinstance(node.value, list) else 0
        raise _wrong(
            mark, f"a list of {size} has no item '{part}'", f"items are counted from 0 to {size - 1}", "DLX208"
        )


def _wrong(mark: Mark, message: str, suggestion: str, code: str = "DLX207") -> RecipeError:
    return RecipeError([Diagnostic.from_mark(mark, code, message, suggestion)])
