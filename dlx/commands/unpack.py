"""Unpack a run that `dlx pack` wrote, after checking every part of it; nothing in it is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import new_console
from dlx.run_folders import RUNS


def command(
    package: Annotated[Path, typer.Argument(help="The zip file.")],
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Unpack a run that `dlx pack` wrote, after checking every part of it; nothing in it is executed."""
    from dlx.commands._show import print_json, print_next, print_notice, print_summary

    print_notice(f"unpacking {package} …")
    from dlx.engine.packages.unpack import unpack

    run = unpack(package, root)
    if as_json:
        print_json(run.to_json())
        return
    print_summary(run, new_console())
    print_next("eval", run.folder)
