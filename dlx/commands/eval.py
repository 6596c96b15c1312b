"""Evaluate a trained run on one of its splits or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer

from dlx.commands._complete import runs
from dlx.console import echo, new_console, say, styled_text
from dlx.errors import UsageError
from dlx.notices import dlx_command

Part = Literal["test", "val", "train"]


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    split: Annotated[str, typer.Option("--split", help="test, val or train.")] = "test",
    data: Annotated[Path | None, typer.Option("--data", help="Evaluate on this file or folder instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Evaluate a trained run on one of its splits or on other data."""
    if split not in get_args(Part):
        raise UsageError(f"there is no split '{split}'; there are {', '.join(get_args(Part))}")

    import dlx
    from dlx.commands._show import open_run, print_json

    done = dlx.evaluate(open_run(run), cast(Part, split), data)
    for note in done.notes:
        echo(f"warning: {note}", error=True)
    if as_json:
        print_json(done.to_json())
        return

    from rich.table import Table

    console = new_console()
    table = Table()
    for heading, side in (("metric", "left"), ("value", "right"), ("claim", "left")):
        table.add_column(heading, justify=side)  # type: ignore[arg-type]
    for name, value in sorted(done.metrics.items()):
        held = done.claims.get(name)
        table.add_row(
            name, f"{value:.6g}", "" if held is None else styled_text(("held", "green") if held else ("failed", "red"))
        )
    say(console, f"{done.checkpoint}: {done.samples:,} samples of {done.data or done.split}")
    console.print(table)
    say(console, f"next        {dlx_command('predict', run)} INPUT   ·   dlx ui")
