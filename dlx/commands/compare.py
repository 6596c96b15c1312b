"""Compare runs: what their recipes say differently, beside what came of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import runs as complete
from dlx.errors import UsageError


def command(
    runs: Annotated[
        list[str], typer.Argument(help="Two runs or more, by name, MLflow id or directory.", autocompletion=complete)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Picture of the curves.")] = Path("comparison.png"),
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare runs: what their recipes say differently, beside what came of it.

    Their learning curves are drawn over each other in a PNG.
    """
    if len(runs) < 2:
        raise UsageError("name two runs or more; dlx runs lists them")
    if output.suffix != ".png":
        raise UsageError(f"{output}: the picture is written as .png")

    from dlx.runs import folder_of, name_of
    from dlx.tracking.comparison import compare, curves, draw

    folders = [folder_of(run, root) for run in runs]
    found = compare(folders)
    drawn = False
    try:
        drawn = draw({name_of(folder): curves(folder) for folder in folders}, output)
    except UsageError as error:
        print(f"warning: {error}", file=sys.stderr)
    if as_json:
        from dlx.commands._show import print_json

        print_json({**found.to_json(), "picture": str(output) if drawn else None})
    else:
        _print(found, output if drawn else None)


def _print(found: Any, picture: Path | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    for title, rows in (("recipe", found.recipe), ("metric", found.metrics)):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in (title, *found.runs):
            table.add_column(heading, overflow="fold")
        for name, values in rows.items():
            table.add_row(name, *map(_shown, values))
        console.print(table if rows else f"no {title} differs")
    if picture is not None:
        console.print(f"curves      {picture}", soft_wrap=True)


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
