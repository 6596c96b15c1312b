"""Write the JSON Schema of recipes, by which editors complete and check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo


def command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; stdout by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Accepted, though the schema is always JSON.")] = False,
) -> None:
    """Write the JSON Schema of recipes, by which editors complete and check them.

    A recipe that begins with `# yaml-language-server: $schema=recipe.schema.json` is checked while it is typed.
    """
    import json

    from dlx.reference.jsonschema import recipe_schema

    text = json.dumps(recipe_schema(), indent=1, ensure_ascii=False)
    if output is None:
        echo(text)
        return
    from dlx.files import write_atomic

    write_atomic(output, text.encode())
    echo(output)
    line = f"# yaml-language-server: $schema={output.name}"
    echo(f"next: put this line at the top of recipes beside it: {line}", error=True)
