"""Show what differs between two recipes or runs by meaning, with the metrics of runs beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import runs
from dlx.console import new_console


def command(
    first: Annotated[str, typer.Argument(help="A recipe file, or a run.", autocompletion=runs)],
    second: Annotated[str, typer.Argument(help="Another one.", autocompletion=runs)],
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show what differs between two recipes or runs by meaning, with the metrics of runs beside it.

    How a value is spelled, and whether a default is written out, makes no difference.
    """
    from dlx.recipe.schema.changes import changes

    sides = [_read(name, root) for name in (first, second)]
    found = changes(*(recipe for recipe, _ in sides))
    metrics = _metrics([metrics for _, metrics in sides])
    if as_json:
        from dlx.commands._show import print_json

        fields = [{"path": c.path, "first": c.before, "second": c.after, "permission": c.permission} for c in found]
        print_json({"recipe": fields, "metrics": metrics})
        return
    from rich.table import Table
    from rich.text import Text

    from dlx.recipe.schema.field_types import to_yaml

    console = new_console()
    if not found:
        console.print("the recipes mean the same")
    rows: dict[str, list[tuple[str, ...]]] = {"recipe": [(c.path, to_yaml(c.before), to_yaml(c.after)) for c in found]}
    rows["metric"] = [(name, *(_number(value) for value in values)) for name, values in metrics.items()]
    for title, lines in rows.items():
        if lines:
            table = Table(title_justify="left")
            for heading in (title, first, second):
                table.add_column(Text(heading), overflow="fold")
            for line in lines:
                table.add_row(*map(Text, line))
            console.print(table)


def _read(name: str, root: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the recipe of a file or of a run in canonical form, and the metrics of the run."""
    import dlx

    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return dlx.load(path).to_stored(), {}
    from dlx.run_folders import find_run_folder
    from dlx.tracking.comparison import resolved_recipe, run_metrics

    folder = find_run_folder(name, root)
    return resolved_recipe(folder), run_metrics(folder)


def _metrics(sides: list[dict[str, float]]) -> dict[str, list[float | None]]:
    names = dict.fromkeys(name for side in sides for name in side)
    return {name: [side.get(name) for side in sides] for name in names}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
