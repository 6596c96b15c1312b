"""Which axis of a tensor holds the features."""

from __future__ import annotations

from dlx.errors import ShapeError
from dlx.layers import require_axes
from dlx.tensors import Spec, TensorSpec, context_of

IMAGES = ("CL", "CHW", "CDHW")
FEATURES = ("F", "TF", *IMAGES)


def feature_axis(x: TensorSpec) -> int:
    """Return the index of the features or channels among the dimensions without the batch."""
    return max(x.axes.find("F"), x.axes.find("C"))


def num_features(x: Spec, what: str, axes: tuple[str, ...] = FEATURES) -> int:
    """Return the number of features or channels of x. Raises: ShapeError if it is unknown, or x has other axes."""
    x = require_axes(x, axes, what)
    size = x.dims[feature_axis(x)]
    if size is None:
        raise ShapeError(f"{what} needs to know how many features come in, but gets {x}")
    return size


def with_features(x: TensorSpec, size: int) -> TensorSpec:
    """Return x with another number of features or channels."""
    axis = feature_axis(x)
    return x.with_dims((*x.dims[:axis], size, *x.dims[axis + 1 :]))


def require_unpadded(x: TensorSpec, what: str, instead: str) -> None:
    """Raise a ShapeError if x is a padded sequence: a layer that mixes steps and reads no mask would mix padding in."""
    if x.axes in ("TF", "CL") and "mask" in context_of(x):
        raise ShapeError(f"{what} would mix the padding of these sequences into its result; use `{instead}`")
