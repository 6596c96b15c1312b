"""Write the reference pages of all components and of the sections of a recipe, as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo


def command(
    folder: Annotated[Path, typer.Argument(help="Folder for the pages; existing ones are replaced.")],
) -> None:
    """Write the reference pages of all components and of the sections of a recipe, as Markdown.

    Components of plugins are included.
    """
    from dlx.files import write_atomic
    from dlx.plugins import activate_plugins
    from dlx.reference.markdown import pages

    activate_plugins()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        write_atomic(folder / name, text.encode())
    echo(folder)
