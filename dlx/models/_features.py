"""What turns any input into a vector of features."""

from __future__ import annotations

from dlx.tensors import Spec, TensorSpec


def to_features(x: Spec) -> list[str]:
    """Return the layers that make features of x: `columns` for a record, `flatten` for what is not features yet."""
    if not isinstance(x, TensorSpec):
        return ["columns"]
    return [] if x.axes == "F" else ["flatten"]
