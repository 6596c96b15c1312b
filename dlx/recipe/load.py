"""A recipe file to a validated Recipe that still knows its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlx.errors import Loc, RecipeError
from dlx.plugins import activate
from dlx.recipe.compose import Composed, compose
from dlx.recipe.diagnostics import Diagnostic, at, from_validation, redact, redacted, sections_of
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

    def redacted(self, value: Any) -> Any:
        """Return plain values without anything that came from the environment."""
        secrets = self.composed.secrets if self.composed else frozenset()
        if isinstance(value, Mapping):
            return {k: self.redacted(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.redacted(v) for v in value]
        return redact(value, secrets) if isinstance(value, str) else value

    def redacted_text(self) -> str:
        """Return the recipe as it was written. References to the environment stand there as references."""
        return self.composed.files[0].read_text(encoding="utf-8") if self.composed else ""


def load(path: Path | str, overrides: Sequence[str] = ()) -> Loaded:
    """Read and validate a recipe. Raises: RecipeError with everything that is wrong with it."""
    activate()
    composed = compose(path, overrides)
    try:
        recipe = Recipe.model_validate(composed.plain())
    except ValidationError as error:
        found = from_validation(error, composed.root, sections_of(Recipe))
        raise RecipeError([redacted(d, composed.secrets) for d in found]) from None
    return Loaded(recipe, composed.base, composed)
