"""A recipe file to a validated Recipe that still knows its lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlx.errors import Loc, RecipeError, UsageError
from dlx.plugins import activate
from dlx.recipe.compose import Composed, examine, untold
from dlx.recipe.diagnostics import Diagnostic, at, from_validation, in_order, redact, redacted, sections_of
from dlx.recipe.schema import Recipe


@dataclass(frozen=True)
class Loaded:
    """A valid recipe with what it was made of; `composed` is None for one that comes out of a checkpoint."""

    recipe: Recipe
    base: Path
    composed: Composed | None = None

    def at(self, loc: Loc, message: str) -> Diagnostic:
        """Return a diagnostic at a path of the recipe, or at the deepest place on the way there."""
        if self.composed is None:
            return Diagnostic("recipe", 0, 0, ".".join(map(str, loc)), "DLX401", message)
        return redacted(at(self.composed.root, loc, message, "DLX401"), self.composed.secrets)

    def storable(self, recipe: Recipe | None = None) -> dict[str, Any]:
        """Return the recipe, or what became of it, in canonical form; the environment stands in it as `${env:NAME}`."""
        names = self.composed.environment if self.composed else {}
        return dict(_each_text((recipe or self.recipe).canonical(), lambda text: _referenced(text, names)))

    def redacted_text(self) -> str:
        """Return the recipe as it was written. References to the environment stand there as references."""
        return self.composed.files[0].read_text(encoding="utf-8") if self.composed else ""


def _each_text(value: Any, change: Callable[[str], Any]) -> Any:
    """Return nested plain values with every text changed."""
    if isinstance(value, Mapping):
        return {k: _each_text(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [_each_text(v, change) for v in value]
    return change(value) if isinstance(value, str) else value


def _referenced(text: str, names: Mapping[str, str]) -> str:
    for secret in sorted(names, key=len, reverse=True):
        text = redact(text, {secret}, "${env:" + names[secret] + "}")
    return text


def with_environment(value: Any) -> Any:
    """Return plain values with every `${env:NAME}` filled in.

    Raises: UsageError that names a variable which is not set.
    """

    def fill(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(f"the recipe of this run uses the environment variable {match[1]}, which is not set")
        return os.environ[match[1]]

    return _each_text(value, lambda text: re.sub(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}", fill, text))


def load(path: Path | str, overrides: Sequence[str] = ()) -> Loaded:
    """Read and validate a recipe. Raises: RecipeError with everything that is wrong with it."""
    activate()
    composed = examine(path, overrides)
    problems = [*composed.problems]
    try:
        recipe = Recipe.model_validate(composed.plain())
    except ValidationError as error:
        problems = untold(from_validation(error, composed.root, sections_of(Recipe)), problems)
    if problems:
        raise RecipeError([redacted(d, composed.secrets) for d in in_order(problems)])
    return Loaded(recipe, composed.base, composed)
