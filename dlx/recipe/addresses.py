"""Addresses in a recipe: from where it would fetch its data, and to where its runs would be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlx.component import Section
from dlx.diagnostic import Diagnostic, Loc
from dlx.layers import Layer
from dlx.recipe.compose.compose import ComposedRecipe
from dlx.recipe.compose.references import ENVIRONMENT_IN_ADDRESS
from dlx.recipe.diagnostics.places import diagnose_at, locate
from dlx.recipe.schema.recipe import Recipe


def check_addresses(part: ComposedRecipe, recipe: Recipe) -> list[Diagnostic]:
    """Refuse addresses that hold what came from the environment: whoever answers there would learn it."""
    message, suggestion = ENVIRONMENT_IN_ADDRESS
    secret = [loc for loc, value in _addresses(recipe, ()) if locate(part.root, loc, value).node.secret]
    return [part.place_in_whole(diagnose_at(part.root, loc, message, "DLX216", suggestion)) for loc in secret]


def _addresses(section: Section, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    """Yield the path and value of every field of a section, and of those inside it, that holds an address."""
    values = ((name, getattr(section, name)) for name in section.addresses)
    yield from (((*loc, name), value) for name, value in values if value is not None)
    for name, value in section:
        for inner, part in sections_in(value):
            yield from _addresses(part, (*loc, name, *inner))


def sections_in(value: Any) -> Iterator[tuple[Loc, Section]]:
    """Yield the sections and components in a field's value, each with its path; layers stand in networks, not here."""
    if isinstance(value, Section) and not isinstance(value, Layer):
        yield (), value
    elif isinstance(value, Mapping):
        yield from (((key, *loc), section) for key, item in value.items() for loc, section in sections_in(item))
    elif isinstance(value, list):
        yield from (((i, *loc), section) for i, item in enumerate(value) for loc, section in sections_in(item))
