"""From an input to a sequence of features, and from a sequence to one vector."""

from __future__ import annotations

from typing import Any, Literal

from dlx.errors import ShapeError
from dlx.layers import require_axes
from dlx.tensors import Spec, TensorSpec

Output = Literal["last", "mean", "max", "attention", "steps"]


def to_sequence(x: Spec, embedding: int, what: str) -> list[Any]:
    """Return the layers that make a sequence of features of x: tokens are embedded, a gray image is read row by row.

    Raises: ShapeError if x is none of these.
    """
    if isinstance(x, TensorSpec) and x.axes == "F" and x.vocab:
        raise ShapeError(
            f"{what} reads a sequence, but gets columns of categories; a column of text is one where the source says "
            "`types: {column: text}`"
        )
    x = require_axes(x, ("T", "TF", "CHW"), what)
    if x.axes == "T":
        return [{"embedding": embedding}]
    if x.axes == "TF":
        return []
    channels, *rows = x.dims
    if channels != 1 or None in rows:
        raise ShapeError(f"{what} reads images of one channel and known size row by row, but gets {x}")
    return [{"reshape": rows}]


def pool_steps(output: Output, dropout: float) -> list[Any]:
    """Return pooling over time, or nothing for `steps`, and dropout of the features."""
    pool: list[Any] = [] if output == "steps" else [{"time_pool": output}]
    return pool + ([{"dropout": dropout}] if dropout else [])
