"""Did you mean: the known words that a mistyped one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(word: str, known: Sequence[str], n: int = 1) -> list[str]:
    """Return up to n known words that a mistyped word may have meant, best first."""
    lowered = {k.lower(): k for k in known}
    return [lowered[m] for m in difflib.get_close_matches(str(word).lower(), list(lowered), n=n, cutoff=0.6)]
