"""Look at data and write a commented recipe that trains on it as it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

SCHEMA = "recipe.schema.json"


def command(
    data: Annotated[
        str,
        typer.Argument(help="A table (csv, tsv, jsonl, parquet), a folder of images, a text (txt), or iris, digits …."),
    ],
    pair: Annotated[
        str | None, typer.Argument(help="A second text, whose lines are to be written for those of the first.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Column to predict; by default the last one.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The recipe to write.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Look at data and write a commented recipe that trains on it as it is.

    The schema with which editors check recipes is written beside it.
    """
    from dlx.errors import UsageError

    if output.exists() and not force:
        raise UsageError(f"{output} exists; choose another name with -o, or replace it with --force")
    from dlx.data.draft import draft
    from dlx.data.inspect import inspect
    from dlx.files import write_atomic

    output.parent.mkdir(parents=True, exist_ok=True)  # the data's path is found from there
    found = inspect(data, output.parent, target, pair)
    text = draft(found, Path(data).name.partition(".")[0], SCHEMA)
    write_atomic(output, text.encode())
    schema = _schema(output.parent / SCHEMA, force)
    if as_json:
        from dataclasses import asdict

        from dlx.commands._show import print_json

        print_json({"recipe": str(output), "schema": str(schema), **asdict(found)})
    else:
        print(output)
    _say(found, output)


def _say(found: Any, output: Path) -> None:
    """Print what was found in the data, and what to do next."""
    inputs = ", ".join(list(found.inputs)[:8])
    print(f"{found.rows:,} {found.unit}, inputs {inputs}, {found.task} of '{found.target}'", file=sys.stderr)
    for name, why in found.ignored.items():
        print(f"note: column '{name}' is left out: {why}", file=sys.stderr)
    if found.bad:
        print(f"note: {found.bad:.1%} of the samples cannot be used and are skipped", file=sys.stderr)
    print(f"next: dlx train {output}", file=sys.stderr)


def _schema(path: Path, force: bool) -> Path:
    """Write the schema unless there is one."""
    if force or not path.exists():
        import json

        from dlx.files import write_atomic
        from dlx.reference.jsonschema import recipe_schema

        write_atomic(path, json.dumps(recipe_schema(), ensure_ascii=False).encode())
    return path
