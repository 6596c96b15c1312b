"""List the families of components, or the components of one family."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from dlx.commands._complete import families

PIPED = 200
"""Columns where nobody looks: every component stays on one line for grep."""


def command(
    family: Annotated[str | None, typer.Argument(help="Such as layers.", autocompletion=families)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the families of components, or the components of one family."""
    from dlx.plugins import activate_plugins
    from dlx.reference.components import all_families, components

    activate_plugins()
    found = components(family) if family else all_families()
    if as_json:
        from dlx.commands._show import print_json

        print_json([asdict(summary) for summary in found])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for line in found:
        table.add_row(line.name, *([] if family else [str(line.count)]), line.text)
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPED).print(table)
    print("next: dlx show NAME" if family else "next: dlx list FAMILY", file=sys.stderr)
