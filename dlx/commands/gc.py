"""List files of old runs that can be deleted, and delete them with --delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlx.console import echo
from dlx.os_errors import os_message
from dlx.run_folders import RUNS

if TYPE_CHECKING:
    from dlx.tracking.leftovers import Leftover


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
    failed = [item for item in found if delete and not _delete(item)]
    found = [item for item in found if item not in failed]
    total = sum(item.bytes for item in found)
    if as_json:
        from dlx.commands._show import print_json

        items = [{"path": str(i.path), "why": i.why, "bytes": i.bytes} for i in found]
        print_json({"deleted": delete, "bytes": total, "items": items})
    elif found:
        _print(found, delete)
    else:
        echo(f"nothing can be deleted in {root}: the newest {keep} runs, and any of {days:g} days, keep all")
    if failed:
        raise typer.Exit(1)


def _delete(item: Leftover) -> bool:
    """Delete what is left over, and return whether it is gone; a file that cannot be deleted keeps no other."""
    try:
        item.delete()
    except OSError as error:
        echo(f"error: {os_message(error, item.path)}", error=True)
        return False
    return True


def _print(found: list[Leftover], delete: bool) -> None:
    for item in found:
        echo(f"{item.bytes:>14,}  {item.path}  ({item.why})")
    total = sum(item.bytes for item in found)
    echo(f"{total:>14,}  bytes {'deleted' if delete else 'can be deleted'} in {len(found)} places")
    if not delete:
        echo("next: dlx gc --delete", error=True)
