"""Find what old and dead runs have left on disk; with --delete it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo
from dlx.run_folders import RUNS


def command(
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    keep: Annotated[int, typer.Option("--keep", min=0, help="So many newest runs keep all of their checkpoints.")] = 10,
    days: Annotated[float, typer.Option("--days", min=0, help="Younger runs keep all of their checkpoints.")] = 7,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed; without it nothing is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Find what old and dead runs have left on disk; with --delete it goes.

    The best checkpoint of a run, and what a tracker has not taken yet, always stay.
    """
    from dlx.tracking.leftovers import find_leftovers

    found = find_leftovers(root, keep, days)
    if delete:
        for item in found:
            item.delete()
    total = sum(item.bytes for item in found)
    if as_json:
        from dlx.commands._show import print_json

        items = [{"path": str(i.path), "why": i.why, "bytes": i.bytes} for i in found]
        print_json({"deleted": delete, "bytes": total, "items": items})
        return
    for item in found:
        echo(f"{item.bytes:>14,}  {item.path}  ({item.why})")
    if not found:
        echo(f"nothing can be deleted in {root}: the newest {keep} runs, and any of {days:g} days, keep all")
        return
    echo(f"{total:>14,}  bytes {'deleted' if delete else 'can be deleted'} in {len(found)} places")
    if not delete:
        echo("next: dlx gc --delete", error=True)
