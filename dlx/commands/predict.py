"""Predict the target of new inputs with a trained run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import runs
from dlx.console import echo, new_console, say
from dlx.errors import UsageError

MAX_ROWS = 50  # of a table on a terminal
MAX_CELL = 60  # letters
SPLITS = ("train", "val", "test")
WRITERS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl"}


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Tables, images, folders of images, .npy or .npz arrays.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A .csv, .parquet or .jsonl file; a folder for masks.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Predict the run's own train, val or test samples, beside the truth.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="A column of the data to print beside the predictions.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON.")] = False,
) -> None:
    """Predict the target of new inputs with a trained run."""
    if output is not None and output.suffix and output.suffix not in WRITERS:
        raise UsageError(f"{output}: predictions are written as {', '.join(WRITERS)}")
    if (split is None) == (not inputs):
        raise UsageError("name files or folders to predict, or one of the run's own splits with --split")
    if split not in (None, *SPLITS):
        raise UsageError(f"--split: there is no split '{split}'; there are {', '.join(SPLITS)}")

    import dlx
    from dlx.commands._show import open_run, print_json
    from dlx.files import write_table

    found = dlx.predict(open_run(run), inputs or (), split=split, keep=keep or ())
    for note in found.notes:
        echo(f"warning: {note}", error=True)
    if output is not None and not output.suffix:
        echo(f"{len(found.write_masks(output)):,} masks are in {output}", error=True)
    elif output is not None:
        write_table(found.frame(), output)
        echo(f"{len(found):,} predictions written to {output}", error=True)
    if as_json:
        print_json(found.frame().to_dict(orient="records"))
    elif output is None and sys.stdout.isatty():
        _table(found)
    elif output is None:
        found.frame().to_csv(sys.stdout, index=False)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _table(found: Any) -> None:
    from rich.table import Table

    table = Table()
    for name in found.columns:
        table.add_column(name)
    rows = zip(*found.columns.values(), strict=True)
    for _, row in zip(range(MAX_ROWS), rows, strict=False):
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else _shorten(str(v)) for v in row))
    console = new_console()
    console.print(table)
    if len(found) > MAX_ROWS:
        say(console, f"{len(found) - MAX_ROWS:,} more rows; write them all with -o predictions.csv")
