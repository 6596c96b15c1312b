"""Names of layers and weights, such as `body.3.weight`, and the patterns by which a recipe chooses among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase


def chosen(pattern: str, name: str) -> bool:
    """Say whether a pattern names a layer or weight, or something that it is in."""
    return largest(pattern, name) is not None


def largest(pattern: str, name: str) -> str | None:
    """Return the outermost layer that a pattern names among a name and all that it is in; None if it names none."""
    return next((path for path in _around(name) if fnmatchcase(path, pattern)), None)


def named(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the layers that a pattern names, in the order of the names that are in them."""
    return list(dict.fromkeys(path for name in names if (path := largest(pattern, name)) is not None))


def _around(name: str) -> Iterator[str]:
    """Yield everything that a name is in, from the outside, and the name itself."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
