"""A recipe file to one tree: what it extends, what the command line overrides, blocks and references written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlx.diagnostic import Diagnostic, Loc, Mark, dotted_path, redact_diagnostic, sort_diagnostics
from dlx.errors import RecipeError
from dlx.recipe.compose.blocks import Expander
from dlx.recipe.compose.merge import COMMAND_LINE, merge, override
from dlx.recipe.compose.references import Resolver
from dlx.recipe.compose.stages import SHARED, STAGES, merge_stage_problems, split
from dlx.recipe.compose.study import split_study
from dlx.recipe.gallery import find_recipe, in_gallery
from dlx.recipe.yaml.document import read
from dlx.recipe.yaml.node import Node

MAX_FILES = 50


@dataclass(frozen=True)
class ComposedRecipe:
    """A recipe as one tree, with what was needed to make it.

    root     every node knows where it was written and what it replaced
    files    the files that were read, the recipe itself first; none for a stage, which is not written by itself
    base     where relative paths in it start: the folder of the recipe; the current one for a recipe of the gallery
    environment  values that came from the environment, never to be stored or shown, and the names of their variables
    problems what is wrong with its text, overrides, blocks and references
    stages   each stage by itself, if the recipe has any; the whole is then what its last one is
    paths    of a stage: the path in the whole recipe of whatever is written at a place
    tree     the whole before stages, blocks and references are written out
    study    what is about many runs of the recipe, if it is a study
    """

    root: Node
    files: list[Path]
    base: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Diagnostic] = ()
    stages: Mapping[str, ComposedRecipe] = field(default_factory=dict)
    paths: Mapping[tuple[str, int, int], Loc] = field(default_factory=dict, repr=False)
    tree: Node | None = field(default=None, repr=False)
    study: Node | None = None

    @property
    def secrets(self) -> frozenset[str]:
        """The values that came from the environment."""
        return frozenset(self.environment)

    def plain(self) -> dict[str, Any]:
        """Return the values in plain Python."""
        values: dict[str, Any] = self.root.plain()
        return values

    def place_in_whole(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return a diagnostic of this recipe as the whole recipe says it, without what came from the environment."""
        loc = self.paths.get(diagnostic.place[:3])
        return redact_diagnostic(
            diagnostic if loc is None else replace(diagnostic, path=dotted_path(loc)), self.secrets
        )


def compose(path: Path | str, overrides: Sequence[str] = ()) -> ComposedRecipe:
    """Read a recipe with everything that it is made of. Raises: RecipeError with everything that is wrong."""
    composed = compose_with_problems(path, overrides)
    if composed.problems:
        raise RecipeError(composed.problems)
    return composed


def compose_with_problems(path: Path | str, overrides: Sequence[str] = ()) -> ComposedRecipe:
    """Read a recipe as far as it can be put together, with what is wrong in `problems`; `path` may be a name of the
    gallery.

    Raises: RecipeError with everything that is wrong, where a file cannot be read or the whole becomes too large.
    """
    known = find_recipe(path)
    path, base = (Path(path), Path(path).parent) if known is None else (known, Path())
    loader = _Loader()
    loaded = loader.load(path, ())
    if loaded is None or loader.incomplete:
        raise RecipeError(sort_diagnostics(loader.problems))
    root = loaded.copy()
    found = [*loader.problems, *_override_all(root, overrides)]
    root, study = split_study(root)
    return replace(_compose_tree(root, base, loader.files, found), study=study)


def vary(composed: ComposedRecipe, change: Callable[[Node], Node]) -> ComposedRecipe:
    """Return a recipe of a study: its tree changed, then composed like any other.

    Raises: RecipeError with everything that is wrong with it.
    """
    assert composed.tree is not None
    varied = _compose_tree(change(composed.tree), composed.base, [], [])  # no file holds it
    if varied.problems:
        raise RecipeError(varied.problems)
    return varied


def _compose_tree(root: Node, base: Path, files: list[Path], found: list[Diagnostic]) -> ComposedRecipe:
    """Write out the stages, blocks and references of a tree; `found` is what is wrong with its text."""
    written = _paths(root)
    try:
        trees = split(root, found)
        parts = {name: _expand(tree, base) for name, tree in (trees or {"": root.without_keys(STAGES)}).items()}
    except RecipeError as error:
        raise RecipeError(_with_paths([*found, *error.diagnostics], written)) from None
    later = merge_stage_problems({name: part.problems for name, part in parts.items()})
    problems = _with_paths(drop_consequences(later, found), written)
    whole = replace(list(parts.values())[-1], files=files, problems=problems, tree=root)
    if not trees:
        return whole
    in_files = {place: loc for place, loc in written.items() if place[0] != COMMAND_LINE}
    environment = {value: name for part in parts.values() for value, name in part.environment.items()}
    stages = {name: replace(part, paths=in_files, environment=environment) for name, part in parts.items()}
    return replace(whole, environment=environment, stages=stages)


def _expand(root: Node, base: Path) -> ComposedRecipe:
    """Return a recipe with its blocks and references written out. Raises: RecipeError if it becomes too large."""
    expander = Expander(root)
    resolver = Resolver(expander.expand())
    tree = resolver.resolve()
    return ComposedRecipe(tree, [], base, resolver.environment, drop_consequences(resolver.problems, expander.problems))


def _paths(root: Node) -> dict[tuple[str, int, int], Loc]:
    """Return the path of whatever is written at a place, for every key and every value."""
    found: dict[tuple[str, int, int], Loc] = {}
    waiting: list[tuple[Loc, Node]] = [((), root)]
    while waiting:
        loc, node = waiting.pop()
        found.setdefault((node.file, node.line, node.column), loc)
        children = enumerate(node.value) if isinstance(node.value, list) else ()
        items: list[tuple[str | int, Node]] = [*node.value.items()] if isinstance(node.value, dict) else [*children]
        for key, child in items:
            mark = node.keys.get(str(key))
            if mark is not None:
                found[mark.file, mark.line, mark.column] = (*loc, key)
            waiting.append(((*loc, key), child))
    return found


def drop_consequences(later: Sequence[Diagnostic], earlier: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return the earlier diagnostics and those later ones that do not follow from one of them, being where it is."""
    places = {d.place for d in earlier}
    return [*earlier, *(d for d in later if d.place not in places)]


def _with_paths(problems: Sequence[Diagnostic], paths: Mapping[tuple[str, int, int], Loc]) -> list[Diagnostic]:
    """Return the diagnostics in order, each with the path of what it points at."""
    return sort_diagnostics(d if d.path else replace(d, path=dotted_path(paths.get(d.place[:3], ()))) for d in problems)


def _override_all(root: Node, overrides: Sequence[str]) -> list[Diagnostic]:
    problems: list[Diagnostic] = []
    for text in overrides:
        try:
            override(root, text)
        except RecipeError as error:
            path, equals, _ = text.partition("=")
            problems += [replace(d, path=path if equals else "") for d in error.diagnostics]
    return problems


@dataclass
class _Loader:
    """Follows `extends` from file to file; `incomplete` once one of them could not be read."""

    files: list[Path] = field(default_factory=list)
    loads: int = 0
    problems: list[Diagnostic] = field(default_factory=list)
    incomplete: bool = False

    def load(self, path: Path, below: tuple[Path, ...], asked_by: Mark | None = None, loc: Loc = ()) -> Node | None:
        """Return the recipe merged onto what it extends; `below` are the files that lead here; None after a complaint.

        A file that cannot be read is blamed on `asked_by`, the place that names it, and the path `loc`.
        """
        try:
            root = self._read(path, below, asked_by)
        except RecipeError as error:
            self.problems += [replace(d, path=d.path or dotted_path(loc)) for d in error.diagnostics]
            self.incomplete = True
            return None
        if path not in self.files:
            self.files.append(path)
        root = self._with_stages(root, path, below)
        merged = self._merge_bases(root, (), path, below)
        return root if merged is None else merge(merged.without_keys("extends"), root)

    def _merge_bases(self, node: Node, at: Loc, path: Path, below: tuple[Path, ...]) -> Node | None:
        """Return all that a recipe extends, merged; None if that is nothing. `at` is the path in the recipe's file."""
        merged: Node | None = None
        for name, inner, mark in self._bases(node, at):
            base = self.load(_file_named(name, path.parent), (*below, path.resolve()), mark, inner)
            if self.loads > MAX_FILES:
                return None
            merged = base if merged is None or base is None else merge(merged, base)
        return merged

    def _with_stages(self, root: Node, path: Path, below: tuple[Path, ...]) -> Node:
        """Return a recipe whose stages are merged onto what they extend, but for what all stages have in common."""
        stages = root.child(STAGES)
        if stages is None or not isinstance(stages.value, dict) or not isinstance(root.value, dict):
            return root
        changed = dict(stages.value)
        for name, stage in stages.value.items():
            extended = self._merge_bases(stage, (STAGES, name), path, below)
            if extended is not None:
                changed[name] = merge(extended.without_keys("extends", *SHARED), stage)
        return replace(root, value={**root.value, STAGES: replace(stages, value=changed)})

    def _read(self, path: Path, below: tuple[Path, ...], asked_by: Mark | None) -> Node:
        self.loads += 1
        root = read(path, asked_by, self.problems).root
        here = path.resolve()
        if asked_by is not None and here in below:
            circle = " → ".join(p.name for p in (*below[below.index(here) :], here))
            raise _wrong(asked_by, "DLX201", f"this recipe extends itself: {circle}", "leave one of them out")
        if asked_by is not None and self.loads > MAX_FILES:
            raise _wrong(asked_by, "DLX201", f"a recipe may be made of at most {MAX_FILES} files", "merge some of them")
        return root

    def _bases(self, root: Node, at: Loc) -> Iterator[tuple[str, Loc, Mark]]:
        """Yield what a recipe extends: its name, and where that is written."""
        node = root.child("extends")
        if node is None or node.value is None:
            return
        several = isinstance(node.value, list)
        for i, n in enumerate(node.value if isinstance(node.value, list) else [node]):
            loc: Loc = (*at, "extends", i) if several else (*at, "extends")
            if isinstance(n.value, str) and n.value:
                yield n.value, loc, n.mark
                continue
            message = "`extends` takes the path of a recipe, or a list of paths"
            self.problems.append(Diagnostic.from_mark(n.mark, "DLX202", message, "extends: base.yaml", loc))
            self.incomplete = True


def _file_named(name: str, folder: Path) -> Path:
    """Return the file that `extends` means: a path from the folder of the recipe, or a name of the gallery."""
    known = in_gallery(name)
    return folder / name if known is None or (folder / name).is_file() else known


def _wrong(mark: Mark, code: str, message: str, suggestion: str) -> RecipeError:
    return RecipeError([Diagnostic.from_mark(mark, code, message, suggestion)])
