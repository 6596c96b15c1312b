"""List the runs of this directory, newest last."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List the runs of this directory, newest last."""
    from dlx.commands._show import print_json
    from dlx.tracking.listing import list_runs

    found = list_runs(root)
    if as_json:
        print_json([run.to_json() for run in found])
        return

    from datetime import datetime

    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not found:
        console.print(f"no runs in {root} yet\nnext        dlx train RECIPE", highlight=False)
        return
    table = Table()
    for heading in ("run", "time", "verdict", "metric", "value", "seconds"):
        table.add_column(
            heading, justify="right" if heading in ("value", "seconds") else "left", no_wrap=heading == "run"
        )
    for run in found:
        moment = datetime.fromtimestamp(run.time).strftime("%Y-%m-%d %H:%M")
        value = "–" if run.value is None else f"{run.value:.6g}"
        table.add_row(run.run, moment, run.verdict, run.metric or "", value, f"{run.seconds:.1f}")
    console.print(table)
    console.print("next        dlx show RUN   ·   dlx eval RUN   ·   dlx ui", highlight=False)
