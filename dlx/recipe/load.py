"""A recipe file to a validated Recipe that still knows its lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlx.diagnostic import Diagnostic, Loc, redact, redact_diagnostic, sort_diagnostics
from dlx.errors import RecipeError, UsageError
from dlx.permissions import is_readable
from dlx.plugins import activate_plugins
from dlx.recipe.addresses import check_addresses
from dlx.recipe.compose.compose import ComposedRecipe, compose_with_problems, drop_consequences, vary
from dlx.recipe.compose.stages import join_stages, merge_stage_problems
from dlx.recipe.diagnostics.from_pydantic import diagnostics_of, sections_of
from dlx.recipe.diagnostics.places import diagnose_at
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.study import Study
from dlx.recipe.yaml.node import Node


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe with what it was made of; `composed` is None for one that comes out of a checkpoint.

    A recipe in stages holds each of them by its name, and is itself what its last one is. That of a study is what its
    runs have in common; `study` says what is made of it.
    """

    recipe: Recipe
    base: Path
    composed: ComposedRecipe | None = None
    stages: Mapping[str, LoadedRecipe] = field(default_factory=dict)
    study: Study | None = None

    def diagnose_at(self, loc: Loc, message: str, code: str = "DLX401") -> Diagnostic:
        """Return a diagnostic at a path of the recipe, or at the deepest place on the way there."""
        if self.composed is None:
            return Diagnostic("recipe", 0, 0, ".".join(map(str, loc)), code, message)
        return self.composed.place_in_whole(diagnose_at(self.composed.root, loc, message, code))

    @property
    def path(self) -> Path:
        """The file of the recipe; a name alone for one that comes out of no file."""
        return self.composed.files[0] if self.composed is not None and self.composed.files else Path("recipe.yaml")

    def with_base(self, folder: Path) -> LoadedRecipe:
        """Return the same recipe, whose relative paths start at another folder."""
        return replace(self, base=folder, stages={name: part.with_base(folder) for name, part in self.stages.items()})

    def to_stored(self, recipe: Recipe | None = None) -> dict[str, Any]:
        """Return the recipe, or what became of it, in canonical form; the environment stands in it as `${env:NAME}`."""
        if self.stages and recipe is None:
            return join_stages({name: part.to_stored() for name, part in self.stages.items()})
        names = self.composed.environment if self.composed else {}
        return dict(_map_texts((recipe or self.recipe).canonical(), lambda text: _restore_references(text, names)))

    def source_text(self) -> str:
        """Return the recipe as it was written. References to the environment stand there as references."""
        files = self.composed.files if self.composed else []
        return files[0].read_text(encoding="utf-8") if files else ""


def _map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    """Return nested plain values with every text changed."""
    if isinstance(value, Mapping):
        return {k: _map_texts(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [_map_texts(v, change) for v in value]
    return change(value) if isinstance(value, str) else value


def _restore_references(text: str, names: Mapping[str, str]) -> str:
    for secret in sorted(names, key=len, reverse=True):
        text = redact(text, {secret}, "${env:" + names[secret] + "}")
    return text


def with_environment(value: Any) -> Any:
    """Return plain values with every `${env:NAME}` filled in.

    Raises: UsageError that names a variable which is not set, or that a recipe may not read.
    """

    def fill(match: re.Match[str]) -> str:
        if not is_readable(match[1]):
            message = f"the recipe of this run reads the environment variable {match[1]}"
            raise UsageError(f"{message}; allow it: --env {match[1]}")
        if match[1] not in os.environ:
            raise UsageError(f"the recipe of this run uses the environment variable {match[1]}, which is not set")
        return os.environ[match[1]]

    return _map_texts(value, lambda text: re.sub(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}", fill, text))


def load(path: Path | str, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Read and validate a recipe. Raises: RecipeError with everything that is wrong with it."""
    activate_plugins()
    composed = compose_with_problems(path, overrides)
    study, wrong = _study(composed)
    return replace(_validate(composed, wrong), study=study)


def load_variant(composed: ComposedRecipe, change: Callable[[Node], Node]) -> LoadedRecipe:
    """Validate a recipe of a study: the study's tree, changed. Raises: RecipeError with everything that is wrong."""
    return _validate(vary(composed, change), [])


def _study(composed: ComposedRecipe) -> tuple[Study | None, list[Diagnostic]]:
    """Return the sections that are about many runs, if there are some, or what is wrong with them."""
    if composed.study is None:
        return None, []
    try:
        return Study.model_validate(composed.study.plain()), []
    except ValidationError as error:
        return None, diagnostics_of(error, composed.study, sections_of(Study))


def _validate(composed: ComposedRecipe, found: list[Diagnostic]) -> LoadedRecipe:
    """Validate what was composed; `found` is wrong with it already."""
    parts: dict[str, LoadedRecipe] = {}
    wrong: dict[str, list[Diagnostic]] = {}
    for name, part in (composed.stages or {"": composed}).items():
        try:
            recipe = Recipe.model_validate(part.plain())
        except ValidationError as error:
            wrong[name] = [part.place_in_whole(d) for d in diagnostics_of(error, part.root, sections_of(Recipe))]
            continue
        parts[name] = LoadedRecipe(recipe, composed.base, part)
        wrong[name] = [*_check_init_stage(part, recipe, list(wrong)), *check_addresses(part, recipe)]
    problems = drop_consequences(merge_stage_problems(wrong), [*composed.problems, *found])
    if problems:
        raise RecipeError([redact_diagnostic(d, composed.secrets) for d in sort_diagnostics(problems)])
    *_, last = parts.values()
    return replace(last, composed=composed, stages=parts if composed.stages else {})


def _check_init_stage(part: ComposedRecipe, recipe: Recipe, before: list[str]) -> list[Diagnostic]:
    """Complain if a stage begins with the weights of one that does not come before it."""
    stage = recipe.init_from.stage if recipe.init_from is not None else None
    if stage is None or stage in before:
        return []
    message = f"there is no earlier stage '{stage}'" if part.paths else "this recipe has no stages to begin with"
    known = f"stages before this one: {', '.join(before)}" if before else "write `run` to begin as another run ended"
    return [part.place_in_whole(diagnose_at(part.root, ("init_from", "stage"), message, "DLX214", known))]
