"""A recipe file to one tree: what it extends, what the command line overrides, blocks and references written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlx.errors import RecipeError
from dlx.recipe.blocks import Expander
from dlx.recipe.diagnostics import Diagnostic, in_order
from dlx.recipe.document import read
from dlx.recipe.merge import merge, override
from dlx.recipe.node import Mark, Node
from dlx.recipe.references import Resolver

MAX_FILES = 50


@dataclass(frozen=True)
class Composed:
    """A recipe as one tree, with what was needed to make it.

    root     every node knows where it was written and what it replaced
    files    the files that were read, the recipe itself first
    environment  values that came from the environment, never to be stored or shown, and the names of their variables
    base     the folder of the recipe; relative paths in it start here
    """

    root: Node
    files: list[Path]
    base: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> frozenset[str]:
        """The values that came from the environment."""
        return frozenset(self.environment)

    def plain(self) -> dict[str, Any]:
        """Return the values in plain Python."""
        values: dict[str, Any] = self.root.plain()
        return values


def compose(path: Path | str, overrides: Sequence[str] = ()) -> Composed:
    """Read a recipe with everything that it is made of. Raises: RecipeError with everything that is wrong."""
    path = Path(path)
    loader = _Loader()
    root = loader.load(path, ()).copy()
    _override_all(root, overrides)
    resolver = Resolver(Expander(root).run())
    return Composed(resolver.run(), loader.files, path.parent, resolver.environment)


def _override_all(root: Node, overrides: Sequence[str]) -> None:
    problems: list[Diagnostic] = []
    for text in overrides:
        try:
            override(root, text)
        except RecipeError as error:
            problems += error.diagnostics
    if problems:
        raise RecipeError(in_order(problems))


@dataclass
class _Loader:
    """Follows `extends` from file to file."""

    files: list[Path] = field(default_factory=list)
    loads: int = 0

    def load(self, path: Path, below: tuple[Path, ...], asked_by: Mark | None = None) -> Node:
        """Return the recipe merged onto what it extends; `below` are the files that lead here."""
        self.loads += 1
        root = read(path, asked_by).root
        here = path.resolve()
        if asked_by is not None and here in below:
            circle = " → ".join(p.name for p in (*below[below.index(here) :], here))
            raise _wrong(asked_by, "DLX201", f"this recipe extends itself: {circle}", "leave one of them out")
        if asked_by is not None and self.loads > MAX_FILES:
            raise _wrong(asked_by, "DLX201", f"a recipe may be made of at most {MAX_FILES} files", "merge some of them")
        if path not in self.files:
            self.files.append(path)
        merged: Node | None = None
        for name, mark in _bases(root):
            base = self.load(path.parent / name, (*below, here), mark)
            merged = base if merged is None else merge(merged, base)
        return root if merged is None else merge(_without_extends(merged), root)


def _bases(root: Node) -> list[tuple[str, Mark]]:
    node = root.child("extends")
    if node is None or node.value is None:
        return []
    nodes = node.value if isinstance(node.value, list) else [node]
    wrong = [n for n in nodes if not isinstance(n.value, str) or not n.value]
    if wrong:
        raise _wrong(
            wrong[0].mark, "DLX202", "`extends` takes the path of a recipe, or a list of paths", "extends: base.yaml"
        )
    return [(str(n.value), n.mark) for n in nodes]


def _without_extends(node: Node) -> Node:
    if isinstance(node.value, dict):
        node.value.pop("extends", None)
        node.keys.pop("extends", None)
    return node


def _wrong(mark: Mark, code: str, message: str, suggestion: str) -> RecipeError:
    return RecipeError([Diagnostic.of(mark, code, message, suggestion)])
