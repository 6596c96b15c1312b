"""Layers: specifications that know their shape and cost without torch, and can build themselves with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator, Field

from dlx.component import Component, find, types
from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers._names import check_name
from dlx.tensors import Cost, Spec, TensorSpec, context_of, elements, with_context

if TYPE_CHECKING:
    from torch import nn


MANY_STEPS = 9973
"""A length at which a layer shows whether it keeps the steps."""


class Child:
    """A layer inside a layer: its module name, its place in the spec, itself, and the input that it receives."""

    __slots__ = ("layer", "loc", "name", "x")

    def __init__(self, name: str, loc: Loc, layer: Layer, x: Spec) -> None:
        self.name, self.loc, self.layer, self.x = name, loc, layer, x


class LinearMap(NamedTuple):
    """Size of an `nn.Linear` inside of a layer's module."""

    outputs: int
    inputs: int
    bias: bool


class ParameterInit(NamedTuple):
    """Initialization of one parameter of a module, or of some of its rows."""

    name: str
    initializer: Initializer
    rows: slice = slice(None)


class Layer(Component):
    """A layer of a network: a function from tensors to tensors, described by numbers alone.

    A leaf computes its output's `shape` and its `cost` without torch and makes its module in `build`. A combinator (a
    layer that holds layers) also has `children`; the module that it builds holds each child under `Child.name`.

    Besides its input, a layer may read named values of the context (`require_context`). Its module then has
    `takes_context = True` and `forward(x, context=None)`, where context is a dict by name; every other module stays
    `forward(x)`. What else a module may offer, such as an auxiliary loss, stands in dlx/nn/protocols.py.
    """

    family = "layers"
    is_sequential: ClassVar[bool] = False
    """Whether it only applies the layers inside it one after the other."""
    selects_visible_steps: ClassVar[bool] = False
    """Whether only the steps that `visible` of the context names go on behind it."""
    changes_context: ClassVar[bool] = False
    """Whether the context behind it is that of its output's spec; its module is then a `ChangesContext`."""
    dropout_field: ClassVar[str | None] = None
    """The field that holds its dropout probability; None where it drops nothing."""
    metric_names: ClassVar[tuple[str, ...]] = ()
    """Metrics that its module computes on val and test, of which more is better; it is then a `LayerMetrics`."""
    saves_input: ClassVar[bool] = True
    """Whether its input is saved for the backward pass."""
    saves_output: ClassVar[bool] = False
    """Whether its output is saved for the backward pass, beyond what the next layer saves as its input."""
    supports_channels_last: ClassVar[bool] = True
    """Whether it is as fast in the channels-last memory format."""
    has_one_weight: ClassVar[bool] = False
    """Whether its module has one matrix or one set of filters, `weight`, and nothing but a bias beside it."""
    has_auxiliary_output: ClassVar[bool] = False
    """Whether it predicts the target too, in training: the task adds a head, and its module is an `AuxiliaryOutput`."""
    replaces_missing: ClassVar[bool] = False
    """Whether it puts numbers in the place of missing ones, which other layers pass on as NaN."""
    uses_batch_statistics: ClassVar[bool] = False
    """Whether it normalizes by what it measures over a batch in training, so that one vector is too few."""
    is_energy_based: ClassVar[bool] = False
    """Whether it is learned by its free energy; its module is then an `EnergyBased`."""
    unrolls_steps: ClassVar[bool] = False
    """Whether it steps through a sequence, so that torch.export unrolls it for one number of steps."""

    unbuilt_fields: ClassVar[Mapping[str, str]] = {"init": "fills the weights of what is built"}
    name: Annotated[str | None, AfterValidator(check_name)] = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name of the node in the plan, in errors and in the state dict."""
    init: Initializer | None = None
    """Initializer of the weights; null takes the model's `init`, and else torch's own."""

    @property
    def is_head(self) -> bool:
        """Whether it ends in the output that the task requires, so that no head follows."""
        return False

    @classmethod
    def read(cls, value: Any) -> dict[str, Any]:
        """Also read a list as `sequential`, and `{stem: {conv: …}}` as a named node."""
        if isinstance(value, list):
            return {"type": "sequential", "layers": value}
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
            find(cls.family, _likely_type(name, inner, types(cls.family)))  # raises the error that suggests a name
        return {**cls.read(inner), "name": name}

    @property
    def compares_samples(self) -> bool:
        """Whether what it does for a sample, or adds to the loss, depends on the others that are computed with it."""
        return self.uses_batch_statistics

    def shape(self, x: TensorSpec) -> Spec:
        """Return the output's shape for an input of this shape. Raises: ShapeError if the layer does not fit it."""
        raise NotImplementedError

    def cost(self, x: TensorSpec) -> Cost:
        """Return parameters, buffers, multiply-adds and activations for one sample."""
        children = self.children(x)
        pairs = pairwise(children) if self.is_sequential else ()
        between = [b.x for a, b in pairs if a.layer.saves_output and not b.layer.saves_input]
        own = Cost(activations=sum(map(elements, between)))
        return sum((child.layer.cost(child.x) for child in children), own)  # type: ignore[arg-type]

    def workspace_elements(self, x: TensorSpec) -> int:
        """Return how many elements the backward pass of this layer needs for the gradients of its output and its input,
        for one sample.
        """
        return elements(x) + elements(self.shape(x))

    def build(self, x: TensorSpec) -> nn.Module:
        """Make the torch module for an input of this shape. Imports torch inside."""
        raise NotImplementedError

    def children(self, x: TensorSpec) -> list[Child]:
        """Return the layers inside this one, with the input of each, in the order of the forward pass."""
        return []

    def parameter_initializers(self, x: TensorSpec) -> list[ParameterInit]:
        """Return the initializers of single parameters, where they differ from that of the layer."""
        return []

    def linear_maps(self, x: TensorSpec) -> dict[str, LinearMap]:
        """Return each `nn.Linear` of the module that an adapter may change, by its name there; "" is the module."""
        return {}

    def export_refusal(self, x: TensorSpec) -> str | None:
        """Return why torch.export cannot export the layer for this input; None where it can."""
        return None

    def onnx_refusal(self, x: TensorSpec) -> str | None:
        """Return why ONNX has no operator for what torch.export can export of the layer; None where it has."""
        return None

    def gain(self) -> float | None:
        """Return the initialization gain of an activation, which keeps the variance; None for any other layer."""
        return None


def walk(layer: Layer, x: Spec, path: str = "") -> Iterator[tuple[str, Layer, Spec]]:
    """Yield (module path, layer, its input) for the layer and everything inside it, in forward order."""
    yield path, layer, x
    for child in layer.children(x):  # type: ignore[arg-type]
        yield from walk(child.layer, child.x, f"{path}.{child.name}" if path else child.name)


def propagate(layers: list[Layer], x: Spec, field: str) -> tuple[list[Child], Spec]:
    """Propagate a shape through layers in order: return each layer as a child, and the shape of the last output.

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
    """Return the layer's output shape, with the context of its input unless the layer changes it or ends the steps.

    Raises: ShapeError with the layer's place in the recipe.
    """
    try:
        y = layer.shape(x)  # type: ignore[arg-type]
    except ShapeError as error:
        raise error.within(*loc) from None
    return y if layer.is_sequential or layer.changes_context else with_context(y, _context_behind(layer, x, y))


def _context_behind(layer: Layer, x: Spec, y: Spec) -> Mapping[str, TensorSpec]:
    """Return the context behind a layer: that before it, but that the padding mask ends where the steps do."""
    context = context_of(x)
    if "mask" not in context or _keeps_steps(layer, x, y):
        return context
    return {name: value for name, value in context.items() if name != "mask"}


def _keeps_steps(layer: Layer, x: Spec, y: Spec) -> bool:
    """Return whether the output has the steps of the input, one for one."""
    if not isinstance(y, TensorSpec):
        return True
    after = y.step_axis
    if not isinstance(x, TensorSpec) or after is None:
        return after is not None
    before = x.step_axis
    if before is None or x.dims[before] != y.dims[after]:
        return False
    if x.dims[before] is not None or x.axes != "CL":
        return True
    longer = layer.shape(x.replace(dims=(x.dims[0], MANY_STEPS)))  # a stride does not show where lengths vary
    return isinstance(longer, TensorSpec) and longer.dims[after] == MANY_STEPS


def build_layer(layer: Layer, x: Spec) -> nn.Module:
    """Build a layer inside another; where the padding mask ends in it, its module says so (`ends_mask`)."""
    module = layer.build(x)  # type: ignore[arg-type]
    if "mask" in context_of(x) and "mask" not in context_of(infer_shape((), layer, x)):
        module.ends_mask = True  # type: ignore[assignment]
    return module


def build_children(children: Iterable[Child]) -> dict[str, nn.Module]:
    """Build layers inside another, by their names."""
    return {child.name: build_layer(child.layer, child.x) for child in children}


def require_context(x: Spec, name: str, what: str) -> TensorSpec:
    """Return the named value of the context of x. Raises: ShapeError if nothing provides it."""
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
    """Return x if it is one tensor with one of these axis orders. Raises: ShapeError that names those it needs."""
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
    """Return which of the keys of `{stem: {liner: 3}}` was meant as a layer: the one that is nearer to a known type."""
    words = [name, *inner] if len(inner) == 1 else [name]
    return max(words, key=lambda word: max(SequenceMatcher(None, str(word), k).ratio() for k in known))
