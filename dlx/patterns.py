"""Glob patterns by which a recipe chooses layers and weights, whose names are dotted paths such as `body.3.weight`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern matches a layer or weight, or a module that contains it."""
    return outermost_match(pattern, name) is not None


def outermost_match(pattern: str, name: str) -> str | None:
    """Return the outermost module that a pattern matches among a name and its parents; None if it matches none."""
    return next((path for path in _prefixes(name) if fnmatchcase(path, pattern)), None)


def matching_layers(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the layers that a pattern matches, in the order of the names."""
    return list(dict.fromkeys(path for name in names if (path := outermost_match(pattern, name)) is not None))


def _prefixes(name: str) -> Iterator[str]:
    """Yield the parents of a name, from the outermost inward, and the name itself."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
