"""Options of the command line that are fields of a section: their words and defaults are the section's own."""

from __future__ import annotations

import re
from typing import Any

import typer
from pydantic import BaseModel

from dlx.recipe.schema.field_docs import field_descriptions


def field_option(section: type[BaseModel], field: str) -> Any:
    """Return the option `--the-field` with the first sentence of the field's description, and its default if any."""
    default = section.model_fields[field].default
    first = re.split(r"\. |; | \([A-Z]", " ".join(field_descriptions(section)[field].split()))[0].rstrip(".")
    shown = str(default) if default not in (None, ()) else False
    return typer.Option(f"--{field.replace('_', '-')}", help=f"{first}.", show_default=shown)
