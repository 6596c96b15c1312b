"""Heads: the layers that a task puts on a model's features, to bring them into the shape that it needs."""

from __future__ import annotations

from typing import Any, Literal

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape
from dlx.models import Model
from dlx.tensors import Spec, TensorSpec

HeadChoice = Literal["auto", "none"]
PLACES = {"TF": "step", "CHW": "pixel"}
ADVICE = {"TF": "; a recurrent model gives them with `output: steps`, bert with `pooler: false`"}


def head(features: Spec, wanted: TensorSpec, what: str, by: Literal["pooling", "reshaping"] = "pooling") -> list[Any]:
    """Return the layers of an automatic head, from a model's features to the shape that a task wants.

    what  whose head it is
    by    pooling: a vector is made of features averaged over their positions, and an output at every step or pixel of
          features there; reshaping: features are flattened, and laid out anew where more than a vector is wanted

    Raises: ShapeError if the features do not suffice.
    """
    if not isinstance(features, TensorSpec):
        raise ShapeError("the model must end in one tensor, but ends in several fields")
    if by == "reshaping":
        return _reshaping_head(features, wanted)
    if wanted.axes == "F":
        return [*pooling(features), {"linear": wanted.elements}]
    if features.axes != wanted.axes:
        place, advice = PLACES[wanted.axes], ADVICE.get(wanted.axes, "")
        raise ShapeError(f"{what} needs features of every {place}, but the model ends in {features}{advice}")
    return [{"linear": wanted.dims[-1]}] if wanted.axes == "TF" else [_pointwise(wanted)]


def _reshaping_head(features: TensorSpec, wanted: TensorSpec) -> list[Any]:
    if features.axes == wanted.axes == "CHW" and features.spatial == wanted.spatial:
        return [] if features.dims == wanted.dims else [_pointwise(wanted)]
    flat: list[Any] = [] if features.axes == "F" else ["flatten"]
    shaped: list[Any] = [] if wanted.axes == "F" else [{"reshape": {"dims": list(wanted.dims), "axes": wanted.axes}}]
    return [*flat, {"linear": wanted.elements}, *shaped]


def _pointwise(wanted: TensorSpec) -> dict[str, Any]:
    return {"conv": {"channels": wanted.dims[0], "kernel": 1}}


def pooling(features: Spec) -> list[Any]:
    """Return the layers that average features over their positions, if they have any, into one vector."""
    if not isinstance(features, TensorSpec):
        raise ShapeError("the model must end in one tensor, but ends in several fields")
    pools: dict[str, list[Any]] = {"F": [], "TF": ["time_pool"]}
    return pools.get(features.axes, ["global_pool"])


def reshaping_network(
    model: Model, x: Spec, wanted: TensorSpec, what: str, choice: HeadChoice, more: tuple[Any, ...] = ()
) -> Layer:
    """Return a model's layers and, but for `head: none`, a reshaping head; `more` layers follow in any case."""
    body = model.tree(x)
    layers: list[Any] = []
    if choice == "auto" and not model.has_head:
        layers = head(infer_shape((), body, x), wanted, what, by="reshaping")
    layers += more
    if not layers:
        return body
    return Layer.model_validate([body.evolve("name", "body"), {"type": "sequential", "name": "head", "layers": layers}])


def numeric_input(facts: DataFacts, what: str) -> TensorSpec:
    """Return the one field of numbers that is learned. Raises: ShapeError if the input is anything else."""
    x = facts.input
    if not isinstance(x, TensorSpec):
        raise ShapeError(
            f"{what} learns one field of numbers, but the input is {', '.join(x)}; choose with data.inputs"
        )
    if x.vocab or None in x.dims or x.dtype.startswith(("int", "bool")):
        raise ShapeError(f"{what} learns numbers of a known shape, but '{facts.inputs[0]}' is {x} ({x.dtype})")
    return x
