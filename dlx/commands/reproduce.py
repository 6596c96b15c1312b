"""Train a run again from what it stored, and say whether the bits are the same, or from where they differ."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dlx.commands._complete import runs
from dlx.console import new_console, say, styled_text
from dlx.notices import dlx_command

COLORS = {"same bits": "green", "same claims": "yellow", "differs": "red"}


def command(
    run: Annotated[str, typer.Argument(help="A run, as `dlx runs` names it, or `last`.", autocompletion=runs)],
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Compare only so many steps, instead of the whole training.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a run again from what it stored, and say whether the bits are the same, or from where they differ.

    The exit code is 1 where neither the bits nor the verdicts on its claims are the same.
    """
    import dlx
    from dlx.commands._show import print_json

    found = dlx.reproduce(run, steps=steps)
    if as_json:
        print_json([one.to_json() for one in found])
    else:
        for one in found:
            _print(one, run)
    if any(one.verdict == "differs" for one in found):
        raise typer.Exit(1)


def _print(found: Any, run: str) -> None:
    from rich.table import Table

    console = new_console()
    say(console, (found.run, "bold"), "  ", (found.sentence, COLORS[found.verdict]), f"  ({found.steps:,} steps)")
    for title, rows in (("environment", found.environment), ("metric", found.metrics)):
        if rows:
            table = Table(title_justify="left")
            for heading in (title, "then", "now"):
                table.add_column(heading, overflow="fold")
            for name, values in rows.items():
                table.add_row(name, *(styled_text("–" if value is None else str(value)) for value in values))
            console.print(table)
    if not found.environment and found.verdict != "same bits":
        say(console, "the environment is the same, as far as lock.json says")
    for note in found.notes:
        say(console, f"note: {note}")
    say(console, f"next        {dlx_command('diff', run, 'OTHER')}   ·   {dlx_command('show', run)}")
