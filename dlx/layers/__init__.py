"""Layers: specifications that know their shape and cost without torch, and can build themselves with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from dlx.component import Component, find, types
from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers._names import check_name
from dlx.tensors import Cost, Spec, TensorSpec, context_of, elements, with_context

if TYPE_CHECKING:
    from torch import nn


class Child:
    """A layer inside a layer: its module name, its place in the spec, itself, and the input that it receives."""

    __slots__ = ("layer", "loc", "name", "x")

    def __init__(self, name: str, loc: Loc, layer: Layer, x: Spec) -> None:
        self.name, self.loc, self.layer, self.x = name, loc, layer, x


class Layer(Component):
    """A function from tensors to tensors, described by numbers alone.

    A leaf answers `shape` and `cost` without torch and makes its module in `build`. A combinator (a layer that
    holds layers) also answers `children`; the module that it builds holds each child under `Child.name`.

    Besides its input, a layer may read named values that are in scope (`provided`). Its module then has
    `takes_context = True` and `forward(x, context=None)`, where context is a dict by name; every other module stays
    `forward(x)`. A module that adds to the loss leaves the scalar of its last forward in `auxiliary_loss`; one that
    answers beside the network in training leaves that in `auxiliary_answer`; one that has metrics counts in a buffer
    `tally`, of which `measured(tally)` makes them.
    """

    family = "layers"
    sequence_type: ClassVar[str] = "sequential"
    """What a bare list of layers means."""
    is_sequential: ClassVar[bool] = False
    """Whether it does nothing but apply the layers inside it one after the other."""
    changes_context: ClassVar[bool] = False
    """Whether what is in scope behind it is what its output says, and its module what `scope(context)` returns."""
    drops: ClassVar[bool] = False
    """Whether it sets random parts of its input to zero in training."""
    drop_field: ClassVar[str] = "p"
    """The field that holds the probability of that."""
    metric_names: ClassVar[tuple[str, ...]] = ()
    """Metrics of its own on val and test, of which more is better; its module counts for them in `tally`."""
    saves_input: ClassVar[bool] = True
    """Whether the backward pass needs the input, so that it is kept."""
    saves_output: ClassVar[bool] = False
    """Whether the backward pass needs the output, which most layers keep as their input anyway."""
    supports_channels_last: ClassVar[bool] = True
    """Whether it is as fast where the channels of images are last."""
    has_auxiliary_output: ClassVar[bool] = False
    """Whether it makes an answer of its own in training, whose end it leaves to the task, and which the task judges."""

    name: Annotated[str | None, AfterValidator(check_name)] = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name of the node in the plan, in errors and in the state dict."""
    init: Initializer | None = None
    """How the weights start; null leaves it to the model's `init`, and else to torch."""

    @property
    def is_head(self) -> bool:
        """Whether it ends in what a task asks for, so that no head follows."""
        return False

    @classmethod
    def read(cls, value: Any) -> dict[str, Any]:
        """Also read a list as a sequence, and `{stem: {conv: …}}` as a named node."""
        if isinstance(value, list):
            return {"type": cls.sequence_type, "layers": value}
        if isinstance(value, Mapping) and len(value) == 1 and "type" not in value:
            (name, inner), *_ = value.items()
            if isinstance(name, str) and name not in types(cls.family) and isinstance(inner, (str, list, Mapping)):
                return cls._read_named_node(name, inner)
        return super().read(value)

    @classmethod
    def _read_named_node(cls, name: str, inner: Any) -> dict[str, Any]:
        is_layer = (
            isinstance(inner, (str, list))
            or "type" in inner
            or (len(inner) == 1 and next(iter(inner)) in types(cls.family))
        )
        if not is_layer:
            find(cls.family, _likely_type(name, inner, types(cls.family)))  # says that there is no such layer
        return {**cls.read(inner), "name": name}

    def shape(self, x: TensorSpec) -> Spec:
        """Return what comes out for an input of this shape. Raises: ShapeError if the layer does not fit it."""
        raise NotImplementedError

    def cost(self, x: TensorSpec) -> Cost:
        """Return parameters, buffers, multiply-adds and activations for one sample."""
        children = self.children(x)
        pairs = pairwise(children) if self.is_sequential else ()
        between = [b.x for a, b in pairs if a.layer.saves_output and not b.layer.saves_input]
        own = Cost(activations=sum(map(elements, between)))
        return sum((child.layer.cost(child.x) for child in children), own)  # type: ignore[arg-type]

    def workspace_elements(self, x: TensorSpec) -> int:
        """Return the elements of one sample that are alive only while the backward pass is at this layer: the gradients
        of its output and its input.
        """
        return elements(x) + elements(self.shape(x))

    def build(self, x: TensorSpec) -> nn.Module:
        """Make the torch module for an input of this shape. Imports torch inside."""
        raise NotImplementedError

    def children(self, x: TensorSpec) -> list[Child]:
        """Return the layers inside this one, with the input of each, in the order of the forward pass."""
        return []

    def parameter_initializers(self) -> Mapping[str, Initializer]:
        """Return how parameters of the module start, by name, that start otherwise than its others."""
        return {}

    def gain(self) -> float | None:
        """Return the factor that keeps the variance through this activation; None if it is not an activation."""
        return None


def walk(layer: Layer, x: Spec, path: str = "") -> Iterator[tuple[str, Layer, Spec]]:
    """Yield (module path, layer, its input) for the layer and everything inside it, in forward order."""
    yield path, layer, x
    for child in layer.children(x):  # type: ignore[arg-type]
        yield from walk(child.layer, child.x, f"{path}.{child.name}" if path else child.name)


def propagate(layers: list[Layer], x: Spec, field: str) -> tuple[list[Child], Spec]:
    """Send x through layers one after the other: return each as a child, and what comes out at the end.

    `field` is the name of the spec's field that holds the list, so that an error can point into it.
    """
    twice = [name for name, n in Counter(layer.name for layer in layers).items() if name is not None and n > 1]
    if twice:
        raise ShapeError(f"two layers of one list are named '{twice[0]}'", (field,))
    children: list[Child] = []
    for i, layer in enumerate(layers):
        children.append(Child(layer.name or str(i), (field, i), layer, x))
        x = infer_shape((field, i), layer, x)
    return children, x


def infer_shape(loc: Loc, layer: Layer, x: Spec) -> Spec:
    """Return the layer's output shape, with all in scope that was in scope before it, unless it says otherwise.

    Raises: ShapeError that is told where the layer stands.
    """
    try:
        y = layer.shape(x)  # type: ignore[arg-type]
    except ShapeError as error:
        raise error.within(*loc) from None
    return y if layer.is_sequential or layer.changes_context else with_context(y, context_of(x))


def require_context(x: Spec, name: str, what: str) -> TensorSpec:
    """Return the value of that name that is in scope where x flows. Raises: ShapeError if nothing provides it."""
    context = context_of(x)
    if name not in context:
        known = f"in scope are {', '.join(context)}" if context else "nothing is in scope"
        raise ShapeError(f"{what} reads '{name}', which nothing provides here; {known}; put it inside a `provide`")
    return context[name]


def require_numeric(x: Spec, what: str) -> TensorSpec:
    """Return x if it is one tensor of numbers, of any axes. Raises: ShapeError if it is a record or holds codes."""
    if not isinstance(x, TensorSpec):
        raise ShapeError(f"{what} takes one tensor, but gets the fields {', '.join(x)}; choose one with `field`")
    if x.dtype.startswith(("int", "bool")):
        raise ShapeError(f"{what} takes numbers, but gets codes ({x.dtype}); put `embedding` or `one_hot` before it")
    return x


def require_axes(x: Spec, axes: str | tuple[str, ...], what: str) -> TensorSpec:
    """Return x if it is one tensor with one of these axis orders. Raises: ShapeError that says what is needed."""
    allowed = (axes,) if isinstance(axes, str) else axes
    if not isinstance(x, TensorSpec):
        advice = "put `columns` before it" if set(x) <= {"numeric", "categorical"} else "read each in one of `branches`"
        raise ShapeError(
            f"{what} takes one tensor, but gets the fields {', '.join(x)}; {advice}, or choose one with `field`"
        )
    if x.axes not in allowed:
        raise ShapeError(f"{what} takes axes {' or '.join(allowed)}, but gets {x} ({x.axes or 'a scalar'})")
    return x


def _likely_type(name: str, inner: Mapping[str, Any], known: tuple[str, ...]) -> str:
    """Which of the two keys of `{stem: {liner: 3}}` was meant to be a layer: the one that is nearer to a known name."""
    words = [name, *inner] if len(inner) == 1 else [name]
    return max(words, key=lambda word: max(SequenceMatcher(None, str(word), k).ratio() for k in known))
