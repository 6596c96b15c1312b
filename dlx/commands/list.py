"""List the families of components, the components of one family, or the recipes of the gallery."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from dlx.commands._complete import list_arguments
from dlx.console import echo, new_console

PIPED = 200
"""Columns where no terminal says how many there are: every component stays on one line for grep."""
NEXT = {
    "": "dlx list FAMILY   ·   dlx list recipes",
    "recipes": "dlx show recipe NAME   ·   dlx train NAME   ·   dlx init --recipe NAME",
}


def command(
    family: Annotated[
        str | None, typer.Argument(help="Such as layers, or recipes.", autocompletion=list_arguments)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the families of components, the components of one family, or the recipes of the gallery."""
    from dlx.plugins import activate_plugins
    from dlx.reference.components import all_families, components
    from dlx.reference.recipes import recipe_summaries

    activate_plugins()
    recipes = family == "recipes"
    found = recipe_summaries() if recipes else components(family) if family else all_families()
    if as_json:
        from dlx.commands._show import print_json

        print_json([asdict(summary) for summary in found])
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for line in found:
        table.add_row(line.name, *([] if family else [str(line.count)]), line.text)
    new_console(width=None if sys.stdout.isatty() else PIPED).print(table)
    echo(f"next: {NEXT.get(family or '', 'dlx show NAME')}", error=True)
