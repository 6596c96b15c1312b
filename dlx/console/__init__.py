"""Console output: names and texts of others are printed as they are, never as markup or as a terminal's commands.

Everything that dlx prints goes through `echo`, `say` or a console of `new_console`: ruff forbids `print` and Rich's own
Console elsewhere.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.text import Text

    from dlx.console.rich_console import SafeConsole

JOINERS = "\u200c\u200d"  # zero-width joiners, which scripts and emoji are written with
REPLACEMENTS = {
    "×": "x", "→": "->", "←": "<-", "–": "-", "—": "-", "−": "-", "…": "...", "·": "*", "≥": ">=", "≤": "<=", "±": "+-",
    "ⁿ": "^n", "“": '"', "”": '"', "’": "'", **dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)),
}  # fmt: skip
"""What stands for characters of dlx's own words where a stream cannot encode them."""
FALLBACK = "dlx.fallback"
"""Name of the error handler of `str.encode` that does so."""


def printable(text: str) -> str:
    r"""Return a text with its control characters made visible, as `\x1b`: no terminal obeys it. Line ends stay."""
    return text if text.isprintable() else "".join(c if _is_harmless(c) else _escaped(c) for c in text)


def is_printable(text: str) -> bool:
    """Return whether a text is printed as it is."""
    return printable(text) == text


def _is_harmless(character: str) -> bool:
    if character.isprintable() or character in "\n\t" or character in JOINERS:
        return True
    return unicodedata.category(character) in ("Zs", "Co", "Cn")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def echo(text: object = "", *, error: bool = False, end: str = "\n", flush: bool = False) -> None:
    """Print a text on stdout, or on stderr."""
    stream = sys.stderr if error else sys.stdout
    stream.write(printable(str(text)) + end)
    if flush:
        stream.flush()


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a Rich text of parts, each plain or with a style; no part is read as markup."""
    from rich.text import Text

    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((printable(text), style) for text, style in pairs))


def say(console: Any, *parts: str | tuple[str, str]) -> None:
    """Print a line of parts on any Rich console, plain or with a style, without breaking it."""
    console.print(styled(*parts), soft_wrap=True, highlight=False)


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


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(REPLACEMENTS.get(c, _escaped(c)) for c in found), error.end


codecs.register_error(FALLBACK, _replace)
