"""Console output: names and texts of others are printed as they are, never as markup or as a terminal's commands.

Everything that dlx prints goes through `echo`, `say` or a console of `new_console`: ruff forbids `print` and Rich's own
Console elsewhere.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from dlx.console.characters import FALLBACK, is_printable, printable

if TYPE_CHECKING:
    from rich.text import Text

    from dlx.console.rich_console import SafeConsole

__all__ = [
    "FALLBACK",
    "echo",
    "is_printable",
    "new_console",
    "printable",
    "say",
    "styled_text",
    "use_fallback_encoding",
]


def echo(text: object = "", *, error: bool = False, end: str = "\n", flush: bool = False) -> None:
    """Print a text on stdout, or on stderr."""
    stream = sys.stderr if error else sys.stdout
    stream.write(printable(str(text)) + end)
    if flush:
        stream.flush()


def styled_text(*parts: str | tuple[str, str]) -> Text:
    """Return a Rich text of parts, each plain or with a style; no part is read as markup."""
    from rich.text import Text

    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((printable(text), style) for text, style in pairs))


def say(console: Any, *parts: str | tuple[str, str]) -> None:
    """Print a line of parts on any Rich console, plain or with a style, without breaking it."""
    console.print(styled_text(*parts), soft_wrap=True, highlight=False)


def new_console(
    *,
    error: bool = False,
    quiet: bool = False,
    width: int | None = None,
    file: TextIO | None = None,
    force_terminal: bool | None = None,
) -> SafeConsole:
    """Return a Rich console on stdout, stderr or a file that reads no markup and prints no control characters."""
    from dlx.console.rich_console import SafeConsole

    return SafeConsole(error=error, quiet=quiet, width=width, file=file, force_terminal=force_terminal)


def use_fallback_encoding() -> None:
    """Let stdout and stderr print what they can where their encoding lacks a character: `->` for an arrow."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=FALLBACK)
