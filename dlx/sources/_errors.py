"""What is done about bad rows, files and cells: all are listed, then refused or left out."""

from __future__ import annotations

from collections.abc import Sequence

from dlx.errors import DataError

LISTED = 50
"""More problems than this are counted, not listed: a file of the wrong format has one in every row."""


def raise_or_skip(what: str, problems: Sequence[str], on_error: str, hint: str = "") -> list[str]:
    """Return the problems where they are to be skipped, else raise a DataError that lists them."""
    if not problems or on_error == "skip":
        return list(problems)
    lines = [f"{what}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}"]
    lines += [f"  {problem}" for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"  … and {len(problems) - LISTED} more")
    lines.append(hint or "correct them, or leave them out with data.on_error: skip")
    raise DataError("\n".join(lines))
