"""Options of several commands: fields of a section in the section's own words, and what a recipe is allowed to do."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel

from dlx.console import echo
from dlx.permissions import allow_variables, choose_tracker, name_host, refuse_tracker
from dlx.recipe.schema.field_docs import field_descriptions

if TYPE_CHECKING:
    from dlx.recipe.load import LoadedRecipe


def field_option(section: type[BaseModel], field: str) -> Any:
    """Return the option `--the-field` with the first sentence of the field's description, and its default if any."""
    default = section.model_fields[field].default
    first = re.split(r"\. |; | \([A-Z]", " ".join(field_descriptions(section)[field].split()))[0].rstrip(".")
    shown = str(default) if default not in (None, ()) else False
    return typer.Option(f"--{field.replace('_', '-')}", help=f"{first}.", show_default=shown)


ENV = "An environment variable that recipes may read, besides DLX_*, HOME and USER; may be given more than once."
TRACKING = "Track runs at this MLflow URI, whatever the recipe names."


def permission_options(hidden: bool) -> list[Any]:
    """Return the options that say what a recipe may read and where its runs are sent; they act as they are read."""

    def permit(env: list[str] | None = ENV_OPTION, tracking_uri: str | None = TRACKING_OPTION) -> None:
        """Never called: the options of this function are wanted."""

    holder = typer.Typer(add_completion=False)
    holder.command()(permit)
    options = list(typer.main.get_command(holder).params)
    for option in options:
        option.hidden = hidden  # type: ignore[attr-defined]
    return options


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


def _allow_variables(value: list[str] | None) -> None:
    allow_variables(value or [])


def _choose_tracker(value: str | None) -> None:
    choose_tracker(value)


_ACTS_AS_READ: dict[str, Any] = {"expose_value": False, "is_eager": True}
ENV_OPTION: Any = typer.Option(None, "--env", metavar="NAME", help=ENV, callback=_allow_variables, **_ACTS_AS_READ)
TRACKING_OPTION: Any = typer.Option(
    None, "--tracking-uri", metavar="URI", help=TRACKING, callback=_choose_tracker, **_ACTS_AS_READ
)
