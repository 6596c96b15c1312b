"""Tokenizers that are not learned from a recipe's own texts: those of earlier stages, and of a plan made before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dlx.facts import DataFacts
from dlx.recipe.schema.recipe import Recipe
from dlx.tasks import EVERY_ROLE
from dlx.tokenizers import Tokenizer


def with_earlier_tokenizers(recipe: Recipe, earlier: Mapping[str, DataFacts]) -> Recipe:
    """Return a recipe whose tokenizers have what they take of earlier stages, whose facts these are by name."""
    known = {stage: facts.tokenizers for stage, facts in earlier.items()}
    return _map_tokenizers(recipe, lambda field, tokenizer: tokenizer.with_stages(known))


def with_stored_tokenizers(recipe: Recipe, facts: DataFacts) -> Recipe:
    """Return a recipe whose tokenizers from elsewhere are those of the facts, even if elsewhere is gone."""
    if not facts.tokenizers:
        return recipe
    first = next(iter(facts.tokenizers.values()))
    stored = {EVERY_ROLE: first, **facts.tokenizers}
    return _map_tokenizers(recipe, lambda field, tokenizer: tokenizer.with_stored(stored.get(field, first)))


def _map_tokenizers(recipe: Recipe, change: Callable[[str, Tokenizer], Tokenizer]) -> Recipe:
    if recipe.data.tokenizer is None:
        return recipe
    tokenizers = {field: change(field, tokenizer) for field, tokenizer in recipe.data.tokenizer.items()}
    return recipe.evolve("data.tokenizer", tokenizers)
