"""Options that are fields of a section, in the section's own words, and the question about a recipe's tracker."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel

from dlx.console import echo
from dlx.permissions import name_host, refuse_tracker
from dlx.recipe.schema.field_docs import field_descriptions

if TYPE_CHECKING:
    from dlx.recipe.load import LoadedRecipe


def field_option(section: type[BaseModel], field: str) -> Any:
    """Return the option `--the-field` with the first sentence of the field's description, and its default if any."""
    default = section.model_fields[field].default
    first = re.split(r"\. |; | \([A-Z]", " ".join(field_descriptions(section)[field].split()))[0].rstrip(".")
    shown = str(default) if default not in (None, ()) else False
    return typer.Option(f"--{field.replace('_', '-')}", help=f"{first}.", show_default=shown)


def ask_for_tracker(recipe: LoadedRecipe) -> None:
    """Ask in a terminal whether runs may be sent to the tracker that a recipe names and the user has not named.

    Elsewhere nobody can answer, and they are not.
    """
    uri = recipe.recipe.tracking.uri
    refusal = None if uri is None else refuse_tracker(uri)
    if uri is None or refusal is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    echo(refusal, error=True)
    if typer.confirm("Send runs there?", err=True):
        name_host(uri)
