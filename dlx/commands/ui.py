"""Start MLflow's UI for the runs of this folder."""

from __future__ import annotations

from typing import Annotated

import typer

from dlx.console import echo
from dlx.run_folders import RUNS

SYNC_SECONDS = 30.0  # for sending tracking data first


def command(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this computer (127.0.0.1).")] = 5000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON once the server answers.")] = False,
) -> None:
    """Start MLflow's UI for the runs of this folder."""
    import sys

    from dlx.commands._show import print_json, print_notice
    from dlx.tracking.server import serve
    from dlx.tracking.sync import sync_runs

    print_notice("starting MLflow's server …")
    for failure in sync_runs(RUNS, SYNC_SECONDS):
        if failure.is_new:
            echo(f"warning: {failure}", error=True)
    with serve(port) as server:
        if as_json:
            print_json({"url": server.url, "store": server.store, "pid": server.pid})
        else:
            echo(server.url)
        sys.stdout.flush()
        echo(f"showing {server.store}; Ctrl-C stops it", error=True)
        code = server.wait()
    raise typer.Exit(code)
