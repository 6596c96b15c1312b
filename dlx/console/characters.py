"""Characters: which ones a terminal would obey, and what stands for those that a stream cannot encode."""

from __future__ import annotations

import codecs
import unicodedata

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
    return text if text.isprintable() else "".join(c if _is_harmless(c) else _escape(c) for c in text)


def is_printable(text: str) -> bool:
    """Return whether a text is printed as it is."""
    return printable(text) == text


def _is_harmless(character: str) -> bool:
    if character.isprintable() or character in "\n\t" or character in JOINERS:
        return True
    return unicodedata.category(character) in ("Zs", "Co", "Cn")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(REPLACEMENTS.get(c, _escape(c)) for c in found), error.end


codecs.register_error(FALLBACK, _replace)
