"""List files of old runs that can be deleted, and delete them with --delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo
from dlx.run_folders import RUNS


def command(
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    keep: Annotated[int, typer.Option("--keep", min=0, help="The newest runs that keep all checkpoints.")] = 10,
    days: Annotated[float, typer.Option("--days", min=0, help="Runs of fewer days keep all checkpoints.")] = 7,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the files; without it they are listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List files of old runs that can be deleted, and delete them with --delete.

    The best checkpoint of a run, and tracking data that MLflow has not received, are never deleted.
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
