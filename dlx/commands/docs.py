"""Write the reference pages of all components, and of a recipe's sections, as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo


def command(
    folder: Annotated[Path, typer.Argument(help="Folder to write; pages that are there are replaced.")],
) -> None:
    """Write the reference pages of all components, and of a recipe's sections, as Markdown.

    Components of plugins are in them too.
    """
    from dlx.files import write_atomic
    from dlx.plugins import activate_plugins
    from dlx.reference.markdown import pages

    activate_plugins()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        write_atomic(folder / name, text.encode())
    echo(folder)
