"""Which maps of S2 each of the 16 maps of C3 sees, by the pattern that the paper states for its table I."""

from __future__ import annotations

from itertools import chain

MAPS = 6


def _neighbors(n: int) -> list[tuple[int, ...]]:
    """Return every run of n maps in a row, counted around."""
    return [tuple(sorted((start + i) % MAPS for i in range(n))) for start in range(MAPS)]


def _two_pairs() -> list[tuple[int, ...]]:
    """Return every choice of two pairs of neighbors with a gap of one map on each side."""
    return [tuple(sorted({start, (start + 1) % MAPS, (start + 3) % MAPS, (start + 4) % MAPS})) for start in range(3)]


CONNECTIONS: tuple[tuple[int, ...], ...] = tuple(
    chain(_neighbors(3), _neighbors(4), _two_pairs(), [tuple(range(MAPS))])
)
