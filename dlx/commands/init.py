"""Inspect data and write a commented recipe for it, or copy a recipe of the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import recipes
from dlx.commands._show import print_next
from dlx.console import echo

SCHEMA = "recipe.schema.json"


def command(
    data: Annotated[
        str | None,
        typer.Argument(help="A table (csv, tsv, jsonl, parquet), a folder of images, a text (txt), or iris, digits …."),
    ] = None,
    pair: Annotated[
        str | None, typer.Argument(help="A second text: its line n is the target of line n of the first.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="Copy this recipe of the gallery; `dlx list recipes`.", autocompletion=recipes),
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Column to predict; by default the last one.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="What the data are for, such as regression; by default as they look.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first row of a table names its columns.")
    ] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Encoding of text files, such as cp1252.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The recipe to write.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing recipe.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Inspect data and write a commented recipe for it, or copy a recipe of the gallery.

    The JSON Schema for editors is written beside it.
    """
    from dlx.errors import UsageError

    if (data is None) == (recipe is None):
        raise UsageError("give data: dlx init DATA, or a recipe of the gallery: dlx init --recipe NAME")
    if recipe is not None and (pair, target) != (None, None):
        raise UsageError("a recipe of the gallery has its own data: leave out --target and the second text")
    if output.exists() and not force:
        raise UsageError(f"{output} exists; choose another name with -o, or replace it with --force")
    if data is not None:
        known = {"header": header, "encoding": encoding}
        options = {name: value for name, value in known.items() if value is not None}
        found = _inspect(data, pair, target, task, options, output.parent)
        _draft(data, found, output, force, as_json)
    else:
        _copy(str(recipe), output, force, as_json)
    print_next("train", output)


def _inspect(
    data: str, pair: str | None, target: str | None, task: str | None, options: dict[str, Any], folder: Path
) -> Any:
    """Look at data; their path is written as it is found from the folder of the recipe."""
    from dlx.commands._show import print_notice
    from dlx.data.inspect import inspect
    from dlx.notices import notice_if_slow

    folder.mkdir(parents=True, exist_ok=True)
    with notice_if_slow(print_notice, f"looking at {data} …"):
        return inspect(data, folder, target, pair, task, options)


def _draft(data: str, found: Any, output: Path, force: bool, as_json: bool) -> None:
    """Write a recipe for data that were looked at."""
    from dataclasses import asdict

    from dlx.data.draft import draft

    _write(output, draft(found, Path(data).name.partition(".")[0], SCHEMA), force, as_json, asdict(found))
    _print_findings(found)


def _copy(name: str, output: Path, force: bool, as_json: bool) -> None:
    """Write a recipe of the gallery, with the line by which an editor finds the schema."""
    from dlx.reference.recipes import standalone_text

    text = standalone_text(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(output, f"# yaml-language-server: $schema={SCHEMA}\n{text}", force, as_json, {})


def _write(recipe: Path, text: str, force: bool, as_json: bool, found: dict[str, Any]) -> None:
    """Write a recipe and its schema, and print where they are."""
    from dlx.files import write_atomic

    write_atomic(recipe, text.encode())
    schema = _schema(recipe.parent / SCHEMA, force)
    if as_json:
        from dlx.commands._show import print_json

        print_json({"recipe": str(recipe), "schema": str(schema), **found})
    else:
        echo(recipe)


def _print_findings(found: Any) -> None:
    """Print what was found in the data."""
    inputs = ", ".join(list(found.inputs)[:8])
    echo(f"{found.rows:,} {found.unit}, inputs {inputs}, {found.task} of '{found.target}'", error=True)
    for name, why in found.ignored.items():
        echo(f"note: column '{name}' is left out: {why}", error=True)
    if getattr(found, "guessed", False):
        echo(f"note: '{found.target}' is a guess; name the column to predict with --target", error=True)
    if getattr(found, "repeated", 0):
        note = f"note: {found.repeated:,} samples stand more than once; the recipe uses each once (deduplicate)"
        echo(note, error=True)
    for warning in getattr(found, "warnings", ()):
        echo(f"note: {warning}", error=True)
    if found.bad:
        echo(f"note: {found.bad:.1%} of the samples cannot be used and are skipped", error=True)


def _schema(path: Path, force: bool) -> Path:
    """Write the schema unless there is one."""
    if force or not path.exists():
        import json

        from dlx.files import write_atomic
        from dlx.reference.jsonschema import recipe_schema

        write_atomic(path, json.dumps(recipe_schema(), ensure_ascii=False).encode())
    return path
