"""Stages: one recipe that stands for several, each of which is the recipe itself with what its stage changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlx.diagnostic import Diagnostic, Mark
from dlx.errors import RecipeError
from dlx.recipe.compose.merge import merge
from dlx.recipe.compose.spelling import family_of
from dlx.recipe.yaml.node import MAX_NODES, Node

STAGES = "stages"
NAME = r"[A-Za-z0-9][A-Za-z0-9_\-]*"
SHARED = ("version", "name", "tracking", STAGES)
"""Sections that all stages have in common: none of them can stand in one."""
_EXAMPLE = "stages: {pretrain: {…}, finetune: {…}}"


def split(root: Node, problems: list[Diagnostic]) -> dict[str, Node]:
    """Return the tree of every stage by its name, in order; none where a recipe has no stages.

    What is wrong with them is added to the problems.
    Raises: RecipeError if the stages together become larger than a recipe may be.
    """
    node = root.child(STAGES)
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        problems.append(_wrong(node.mark, "`stages` takes a mapping from names to what each stage changes", _EXAMPLE))
        return {}
    base = root.without_keys(STAGES)
    trees: dict[str, Node] = {}
    count = 0
    for name, changes in node.value.items():
        if changes.value is None:
            continue
        problems += _check_stage(name, node.keys[name], changes)
        trees[name] = merge(base, changes.without_keys(*SHARED)) if isinstance(changes.value, dict) else base
        count += trees[name].size()[0]
        if count > MAX_NODES:
            message = "stages make this recipe larger than a recipe may be"
            raise RecipeError([*problems, Diagnostic.from_mark(node.mark, "DLX103", message)])
    return trees


def _check_stage(name: str, mark: Mark, changes: Node) -> list[Diagnostic]:
    if not re.fullmatch(NAME, name):
        return [_wrong(mark, f"'{name}' cannot name a stage", "use letters, digits, _ and -")]
    if family_of(name):
        return [_wrong(mark, f"'{name}' is a section of recipes and cannot name a stage", f"write {name}-stage")]
    if not isinstance(changes.value, dict):
        return [_wrong(changes.mark, f"the stage '{name}' is no mapping of what it changes", _EXAMPLE)]
    foreign = [key for key in SHARED if key in changes.keys]
    message = "all stages have this section in common; it cannot stand in one of them"
    return [_wrong(changes.keys[key], message, f"write {key} beside `stages`") for key in foreign]


def _wrong(mark: Mark, message: str, suggestion: str) -> Diagnostic:
    return Diagnostic.from_mark(mark, "DLX213", message, suggestion)


def merge_stage_problems(problems: Mapping[str, Sequence[Diagnostic]]) -> list[Diagnostic]:
    """Return what is wrong with stages, by name: each thing once, with a note that says where it is, if not in all."""
    first: dict[Any, Diagnostic] = {}
    having: dict[Any, list[str]] = {}
    for name, found in problems.items():
        for d in found:
            key = (d.place, d.code, d.message)
            first.setdefault(key, d)
            having.setdefault(key, []).append(name)
    notes = {key: () if len(n) == len(problems) else (f"in the stage {', '.join(n)}",) for key, n in having.items()}
    return [replace(d, notes=(*d.notes, *notes[key])) for key, d in first.items()]


def join_stages(recipes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return recipes in canonical form, by stage, as the one recipe that stands for them."""
    *_, last = recipes.values()
    shared = {key: last[key] for key in SHARED if key in last}
    return {**shared, STAGES: {name: {k: v for k, v in r.items() if k not in SHARED} for name, r in recipes.items()}}
