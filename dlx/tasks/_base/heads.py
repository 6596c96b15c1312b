"""What a task puts at the end of a network that must return a given shape, such as that of its input."""

from __future__ import annotations

from typing import Any, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape
from dlx.models import Model
from dlx.tensors import Spec, TensorSpec

Head = Literal["auto", "none"]


def ended(model: Model, x: Spec, wanted: TensorSpec, head: Head, more: tuple[Any, ...] = ()) -> Layer:
    """Return a model's layers and, but for `head: none`, what brings its features into the shape that is wanted.

    Features become a vector by a linear layer, which is laid out anew where more than a vector is wanted; an image that
    lacks nothing but the channels gets them by a 1 × 1 convolution. `more` follows in any case.
    """
    body = model.tree(x)
    last: list[Any] = [] if head == "none" or model.has_head else _last(infer_shape((), body, x), wanted)
    last += more
    if not last:
        return body
    named = body.evolve("name", "body")
    return Layer.model_validate([named, {"type": "sequential", "name": "head", "layers": last}])


def _last(features: Spec, wanted: TensorSpec) -> list[Any]:
    if not isinstance(features, TensorSpec):
        raise ShapeError("the model must end in one tensor, but ends in several fields")
    if features.axes == wanted.axes == "CHW" and features.spatial == wanted.spatial:
        return [] if features.dims == wanted.dims else [{"conv": {"channels": wanted.dims[0], "kernel": 1}}]
    flat: list[Any] = [] if features.axes == "F" else ["flatten"]
    shaped: list[Any] = [] if wanted.axes == "F" else [{"reshape": {"dims": list(wanted.dims), "axes": wanted.axes}}]
    return [*flat, {"linear": wanted.elements}, *shaped]


def numbers(facts: DataFacts, what: str) -> TensorSpec:
    """Return the one field of numbers that is learned. Raises: ShapeError if the input is anything else."""
    x = facts.input
    if not isinstance(x, TensorSpec):
        raise ShapeError(
            f"{what} learns one field of numbers, but the input is {', '.join(x)}; choose with data.inputs"
        )
    if x.vocab or None in x.dims or x.dtype.startswith(("int", "bool")):
        raise ShapeError(f"{what} learns numbers of a known shape, but '{facts.inputs[0]}' is {x} ({x.dtype})")
    return x
