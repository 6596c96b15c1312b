"""Run recipes and check their claims (`expect`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo, new_console, say, styled_text
from dlx.errors import UsageError
from dlx.run_folders import RUNS


def command(
    recipes: Annotated[list[Path], typer.Argument(help="Recipes, or folders of recipes.")],
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run recipes and check their claims (`expect`)."""
    paths = [p for given in recipes for p in (sorted(given.rglob("*.yaml")) if given.is_dir() else [given])]
    if not paths:
        raise UsageError(f"there is no recipe in {', '.join(map(str, recipes))}")

    from rich.table import Table

    import dlx
    from dlx.commands._show import describe_baselines, print_json, print_origins

    rows = dlx.test(paths, root=root)
    for row in rows:
        if row.message:
            echo(f"{row.recipe}: {row.message}", error=True)
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        table = Table()
        beside = ["baselines"] if any(row.measured for row in rows) else []
        for heading in ("recipe", "claim", "value", *beside, "verdict", "seconds"):
            right, whole = heading in ("value", "seconds"), heading == "recipe"
            table.add_column(heading, justify="right" if right else "left", overflow="fold" if whole else "ellipsis")
        for row in rows:
            color = "green" if row.passes else "red"
            claim = "" if row.metric is None else f"{row.metric} {row.claim}"
            value = "–" if row.value is None else f"{row.value:.6g}"
            others = [describe_baselines(row.measured)] if beside else []
            table.add_row(row.recipe, claim, value, *others, styled_text((row.verdict, color)), f"{row.seconds:.1f}")
        console = new_console()
        console.print(table)
        print_origins(rows, console)
        failed = len({row.recipe for row in rows if not row.passes})
        say(console, f"{len(paths) - failed} of {len(paths)} recipes meet their claims")
        say(console, "next        dlx runs   ·   dlx show RECIPE")
    if not all(row.passes for row in rows):
        raise typer.Exit(1)
