"""Check recipes without running them, and report every error at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import recipes
from dlx.commands._show import print_next
from dlx.console import echo


def command(
    recipe: Annotated[list[Path], typer.Argument(help="One recipe or several.", autocompletion=recipes)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the errors as JSON.")] = False,
) -> None:
    """Check recipes without running them, and report every error at its line.

    The shapes of layers are checked too once `dlx plan` or `dlx train` has seen the data.
    """
    from dlx.diagnostic import as_json as plain
    from dlx.plan.validation import validate_file
    from dlx.recipe.diagnostics.frames import render

    checked = [validate_file(path) for path in recipe]
    wrong = [d for c in checked for d in c.diagnostics]
    if as_json:
        from dlx.commands._show import print_json

        print_json(plain(wrong))
    else:
        for c in checked:
            if not c.diagnostics:
                echo(
                    f"{c.path}: ok"
                    if c.shapes_checked
                    else f"{c.path}: ok (shapes not checked: the data have not been read yet)"
                )
    if wrong:
        render(wrong)
        raise typer.Exit(2)
    print_next("plan", recipe[0])
