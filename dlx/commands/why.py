"""Explain a value of a recipe: where it was written, what it replaced, its default, its meaning, who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import recipes
from dlx.console import new_console


def command(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=recipes)],
    path: Annotated[str, typer.Argument(help="A path into it, such as optimizer.lr.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: train.epochs=3")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Explain a value of a recipe: where it was written, what it replaced, its default, its meaning, who reads it."""
    import dlx
    from dlx.reference.why import MEANING, explain_value

    found = explain_value(dlx.load(recipe, overrides or []), path)
    if as_json:
        from dlx.commands._show import print_json

        print_json([why.to_json() for why in found])
        return
    from rich.table import Table
    from rich.text import Text

    from dlx.recipe.schema.field_types import to_yaml

    console = new_console()
    for why in found:
        table = Table.grid(padding=(0, 2))
        rows = [("written", why.origin.place), *(("", note) for note in why.origin.notes), ("takes", why.kind)]
        rows += [("default", why.default if why.default is not None else "none: it must be given")] if why.kind else []
        rows += [("means", why.description), ("resume", MEANING[why.permission]), ("read by", "  ".join(why.readers))]
        for name, text in rows:
            if text:
                table.add_row(Text(name, style="dim"), Text(text))
        console.print(Text(f"{why.origin.path}: {to_yaml(why.origin.value)}", style="bold"))
        console.print(table)
