"""List the runs of this folder, newest last: state, main metric, and whether the claims held."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.console import echo, new_console, say, styled_text
from dlx.run_folders import RUNS

SECONDS = 10.0  # for sending after the list is printed
COLORS = {"RUNNING": "cyan", "FINISHED": "green", "FAILED": "red", "KILLED": "yellow", "UNREADABLE": "red"}


def command(
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help="test/accuracy>0.9, state=FAILED, or a part of a name.")
    ] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="Sort by a metric or a column; -NAME reverses it.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the last runs, at most so many.")] = None,
    sync: Annotated[bool, typer.Option("--sync", help="Send all unsent tracking data first.")] = False,
    discard: Annotated[
        str | None, typer.Option("--discard", help="Give up the tracking data that this run has not sent.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List the runs of this folder, newest last: state, main metric, and whether the claims held.

    Tracking data that MLflow has not received are sent, and runs whose process is gone are marked as KILLED.
    """
    from dlx.commands._show import print_json
    from dlx.tracking.listing import filter_runs, list_runs

    if discard is not None:
        _discard(discard, root)
        return
    failed = _sync(root, None) if sync else False
    every = list_runs(root)
    found = filter_runs(every, filters or [], sort, limit)
    if as_json:
        print_json([run.to_json() for run in found])
    elif found:
        _print(found)
    elif every:
        echo(f"none of {len(every)} runs in {root} fits {' and '.join(filters or [])}")
    else:
        echo(f"no runs in {root} yet\nnext        dlx train RECIPE")
    if not as_json:
        sys.stdout.flush()
    if sync:
        raise typer.Exit(int(failed))
    _sync(root, SECONDS)


def _sync(root: Path, seconds: float | None) -> bool:
    """Send unsent tracking data, importing MLflow only if there are any. Return whether something could not be sent."""
    from dlx.tracking.spool import is_running
    from dlx.tracking.sync import sync_runs, unsent_runs

    if not any(not is_running(folder) for folder in unsent_runs(root)):
        return False
    failures = sync_runs(root, seconds)
    for failure in failures:
        if failure.is_new or seconds is None:
            echo(f"warning: {failure}", error=True)
    return bool(failures)


def _discard(run: str, root: Path) -> None:
    from dlx.run_folders import find_run_folder
    from dlx.tracking.sync import discard_unsent

    folder = find_run_folder(run, root)
    found = discard_unsent(folder)
    echo(f"{folder.name}: {'what was not sent is discarded' if found else 'everything was sent'}")


def _print(found: list[Any]) -> None:
    from datetime import datetime

    from rich import box
    from rich.table import Table

    console = new_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "state", "result", "", "started", "seconds"):
        side = "right" if heading == "seconds" else "left"
        table.add_column(heading, justify=side, no_wrap=heading in ("run", "state", "started"))  # type: ignore[arg-type]
    for run in found:
        moment = datetime.fromtimestamp(run.time).strftime("%m-%d %H:%M")
        result = "–" if run.value is None else f"{run.metric} {run.value:.4g}"
        state = styled_text(
            (run.state, COLORS.get(run.state, "white")),
            " (unsent)" if run.unsent else "",
            " (trial)" if run.fast_dev_run else "",
        )
        table.add_row(run.run, state, result, run.verdict, moment, f"{run.seconds:.1f}")
    console.print(table)
    say(console, "next        dlx show RUN   ·   dlx compare RUN RUN   ·   dlx ui")
