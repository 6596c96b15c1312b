"""Write a recipe as a plain PyTorch Lightning project that ends with the same weights without dlx."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import recipes
from dlx.console import echo


def command(
    recipe: Annotated[str, typer.Argument(help="The recipe.", autocompletion=recipes)],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: train.epochs=3")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A new folder; the recipe's name by default.")
    ] = None,
) -> None:
    """Write a recipe as a plain PyTorch Lightning project that ends with the same weights without dlx.

    A recipe that asks for more than that is refused at the line that does.
    """
    import dlx
    from dlx.commands._show import print_notice

    loaded = dlx.load(recipe, overrides or [])
    print_notice(f"writing {loaded.recipe.name} as a project …")
    from dlx.engine.eject.project import eject

    folder = eject(loaded, output or Path(loaded.recipe.name))
    for path in sorted(folder.iterdir()):
        echo(str(path))
    echo(f"next: cd {folder} && pip install -r requirements.txt && python train.py", error=True)
