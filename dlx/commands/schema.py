"""Write the JSON Schema of recipes, with which editors complete and check them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; stdout by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The schema is JSON in any case.")] = False,
) -> None:
    """Write the JSON Schema of recipes, with which editors complete and check them.

    A recipe that begins with `# yaml-language-server: $schema=recipe.schema.json` is checked while it is typed.
    """
    import json

    from dlx.reference.jsonschema import recipe_schema

    text = json.dumps(recipe_schema(), indent=1, ensure_ascii=False)
    if output is None:
        print(text)
        return
    from dlx.files import write_atomic

    write_atomic(output, text.encode())
    print(output)
    line = f"# yaml-language-server: $schema={output.name}"
    print(f"next: put this line at the top of recipes beside it: {line}", file=sys.stderr)
