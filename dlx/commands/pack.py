"""Pack a trained run into one zip file: recipe, lock, weights as safetensors, metrics and a card; no code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import runs
from dlx.console import echo


def command(
    run: Annotated[str, typer.Argument(help="A run, as `dlx runs` names it, or `last`.", autocompletion=runs)],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The zip file; RUN.zip by default.")] = None,
) -> None:
    """Pack a trained run into one zip file: recipe, lock, weights as safetensors, metrics and a card; no code."""
    from dlx.commands._show import format_bytes, print_next, print_notice

    print_notice(f"packing {run} …")
    from dlx.engine.packages.pack import pack

    path = pack(run, output)
    echo(f"{path}  {format_bytes(path.stat().st_size)}")
    print_next("unpack", path)
