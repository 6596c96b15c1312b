"""From any input to a vector of features."""

from __future__ import annotations

from typing import Any

from dlx.tensors import Spec, Stats, TensorSpec


def to_features(x: Spec, embedding: str = "auto") -> list[Any]:
    """Return the layers that make features of x: `columns` for a table, `flatten` for what is not features yet.

    embedding: how categories are encoded, as in `columns`.
    """
    if not isinstance(x, TensorSpec) or _is_table(x):
        return [{"columns": {"embedding": embedding}}]
    return [] if x.axes == "F" else ["flatten"]


def _is_table(x: TensorSpec) -> bool:
    """Whether these are columns of a table: codes of categories, or named numbers whose statistics are known."""
    if x.axes != "F":
        return False
    stats = x.stats or Stats()
    known = len(stats.mean) == len(stats.std) == x.elements
    return bool(x.vocab) or (bool(x.names) and known) or any(stats.missing)
