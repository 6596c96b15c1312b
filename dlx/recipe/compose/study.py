"""Studies: a recipe that stands for many, each of which is the recipe itself with some values changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlx.diagnostic import Diagnostic, Mark
from dlx.errors import RecipeError
from dlx.recipe.compose.merge import merge
from dlx.recipe.yaml.node import Node
from dlx.search_space import ANY, RANGES, Choice, Domain, Params, Range, read_domain

SECTIONS = ("sweep", "compare")
"""Sections that are about many runs and not about one."""
EXPECT = "expect"


def split_study(root: Node) -> tuple[Node, Node | None]:
    """Return a recipe without what is about many runs, and that alone: `sweep`, `compare`, and claims about them."""
    mine = {key: node for key in SECTIONS if (node := root.child(key)) is not None and node.value is not None}
    if not mine:
        return root.without_keys(*SECTIONS), None
    if "sweep" in mine:
        mine["sweep"] = _drop_null_paths(mine["sweep"])
    one, expect = root.without_keys(*SECTIONS), root.child(EXPECT)
    if expect is not None and isinstance(expect.value, dict):
        about = [claim for claim in expect.value if claim.partition("/")[0] in SECTIONS]
        mine[EXPECT] = expect.without_keys(*(claim for claim in expect.value if claim not in about))
        assert isinstance(one.value, dict)
        one = replace(one, value={**one.value, EXPECT: expect.without_keys(*about)})
    return one, replace(root, value=mine, keys={key: root.keys[key] for key in mine})


def _drop_null_paths(sweep: Node) -> Node:
    """Return a sweep without the paths that are null: so a recipe takes back one of a recipe that it extends."""
    over = sweep.child("over")
    if over is None or not isinstance(over.value, dict) or not isinstance(sweep.value, dict):
        return sweep
    absent = [path for path, domain in over.value.items() if domain.value is None]
    return replace(sweep, value={**sweep.value, "over": over.without_keys(*absent)})


def with_changes(root: Node, changes: Node) -> Node:
    """Return a recipe changed by a mapping of the same form, as one that extends it would."""
    return merge(root, changes) if isinstance(changes.value, dict) else root


def with_params(root: Node, over: Node, params: Params) -> Node:
    """Return a recipe with the values of one trial; `over` is the node of `sweep.over`.

    Every value stands where its domain is written, so that what is wrong with it is shown there.
    Raises: RecipeError if a path leads nowhere.
    """
    for path, domain in (over.value if isinstance(over.value, dict) else {}).items():
        value = _value(path, domain, read_domain(domain.plain()), params)
        root = with_value(root, over.keys[path], path, value)
    return root


def with_value(root: Node, mark: Mark, path: str, value: Node) -> Node:
    """Return a recipe with another value at a dotted path, whose text stands at the mark.

    A part of the path may be the type of a component: `optimizer.adamw.lr`. Raises: RecipeError if a list is too short.
    """
    return _with_value(root, _segments(mark, path), value)


def _segments(mark: Mark, path: str) -> list[tuple[str, Mark]]:
    """Return the parts of a path, each with its own place in the text of the path."""
    column, parts = mark.column + (mark.end_column - mark.column - len(path)) // 2, []
    for part in path.split("."):
        parts.append((part, replace(mark, column=column, end_column=column + len(part))))
        column += len(part) + 1
    return parts


def _with_value(node: Node, parts: list[tuple[str, Mark]], value: Node) -> Node:
    ahead = next((i for i, (part, _) in enumerate(parts) if part.isdigit()), len(parts))
    if ahead == len(parts):
        return merge(node, _nest(parts, value))
    holder = node.find(tuple(part for part, _ in parts[:ahead]))
    part, mark = parts[ahead]
    item = None if holder is None else holder.child(int(part))
    if holder is None or item is None or not isinstance(holder.value, list):
        size = len(holder.value) if holder is not None and isinstance(holder.value, list) else 0
        message = f"there is no item {part}: the list has {size}" if size else f"there is no list with an item {part}"
        raise RecipeError([Diagnostic.from_mark(mark, "DLX208", message)])
    rest = parts[ahead + 1 :]
    items = list(holder.value)
    items[int(part)] = _with_value(item, rest, value) if rest else replace(value, history=(*item.history, item.mark))
    whole = holder.with_value(items)
    return merge(node, _nest(parts[:ahead], whole)) if ahead else whole


def _nest(parts: list[tuple[str, Mark]], value: Node) -> Node:
    for part, mark in reversed(parts):
        value = Node({part: value}, value.mark, {part: mark})
    return value


def _value(name: str, node: Node, domain: Domain, params: Params) -> Node:
    """Return what one trial puts in the place of a domain."""
    chosen = params[name]
    if isinstance(domain, Range):
        return Node(chosen, _end(node, domain, chosen))
    index = domain.index(chosen)
    options = node.child(ANY) if isinstance(node.value, dict) else node
    assert options is not None and isinstance(options.value, list)
    return _fill_domains(name, options.value[index], domain.options[index], params)


def _end(node: Node, domain: Range, chosen: Any) -> Mark:
    """Return where a number of a range is written: its end, if it is one, or the whole range."""
    pair = next((inner for kind in RANGES if (inner := node.child(kind)) is not None), node)
    if isinstance(pair.value, list) and chosen in (domain.low, domain.high):
        return pair.value[0 if chosen == domain.low else -1].mark
    return node.mark


def _fill_domains(name: str, node: Node, option: Any, params: Params) -> Node:
    """Return an option with every domain in it replaced by what the trial chose."""
    if isinstance(option, Range | Choice):
        return _value(name, node, option, params)
    if isinstance(option, Mapping) and isinstance(node.value, dict):
        return node.with_value(
            {k: _fill_domains(f"{name}.{k}", node.value[k], inner, params) for k, inner in option.items()}
        )
    if isinstance(option, list) and isinstance(node.value, list):
        pairs = enumerate(zip(node.value, option, strict=True))
        return node.with_value([_fill_domains(f"{name}.{i}", n, inner, params) for i, (n, inner) in pairs])
    return node
