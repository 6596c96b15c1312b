"""Error codes explained: `codes.yaml` says what each means, why it is an error, and how an example is put right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import indent

from dlx.errors import UsageError
from dlx.recipe.yaml.document import read


@dataclass(frozen=True)
class Code:
    """What an error code stands for; the examples complete a minimal recipe, or are typed in a shell after a `$`."""

    title: str
    why: str
    wrong: str = ""
    right: str = ""


@cache
def codes() -> dict[str, Code]:
    """Return the explanation of every code."""
    return {code: Code(**fields) for code, fields in read(Path(__file__).with_name("codes.yaml")).plain().items()}


def explain(code: str) -> str:
    """Return the explanation of a code as text. Raises: UsageError if there is no such code."""
    code = code.upper()
    found = codes().get(code)
    if found is None:
        from dlx.nearest import nearest

        near = nearest(code, list(codes()))
        raise UsageError(f"there is no error code {code}" + (f"; did you mean {near[0]}?" if near else ""))
    parts = [f"{code}: {found.title}", found.why]
    parts += [f"Wrong:\n\n{indent(found.wrong, '    ')}"] if found.wrong else []
    parts += [f"Right:\n\n{indent(found.right, '    ')}"] if found.right else []
    return "\n\n".join(parts)
