"""Models: architectures, each a torch-free function from its parameters to a tree of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import Layer, walk
from dlx.tensors import Spec

if TYPE_CHECKING:
    from torch import nn


class Model(Component):
    """An architecture. It yields features, to which the task appends its head, unless the model `has_head`."""

    family = "models"

    init: Initializer | None = None
    """How the weights of every layer start that has no `init` of its own."""

    @property
    def has_head(self) -> bool:
        """Whether the model itself ends in what the task requires."""
        return False

    def architecture(self, x: Spec) -> list[Any]:
        """Return the architecture for an input of this shape, as a person would write it in YAML."""
        raise NotImplementedError

    def tree(self, x: Spec) -> Layer:
        """Return the architecture as one layer. Raises: ShapeError if a layer of it is not valid."""
        try:
            return Layer.model_validate(self.architecture(x))
        except ValidationError as error:
            first = error.errors()[0]
            raise ShapeError(
                f"{self.type} makes a layer that is not valid: {first['msg']} at {first['loc']}"
            ) from error


def initialize(module: nn.Module, tree: Layer, x: Spec, default: Initializer | None) -> None:
    """Start the weights of every layer by its own initializer, or that of the nearest layer around it, or the default.

    A module whose weight is not laid out as (outputs, inputs, …) has a method `fill_weight` that takes what fills one.
    The gain is that of the first activation after the layer, as in He et al. 2015; 1 where none follows.
    """
    starts: dict[str, Initializer | None] = {}
    nodes: list[tuple[str, Layer]] = []
    for path, layer, inner in walk(tree, x):
        starts[path] = layer.init or _enclosing_initializer(path, starts, default)
        if not layer.children(inner):  # type: ignore[arg-type]
            nodes.append((path, layer))
    gain = 1.0
    for path, layer in reversed(nodes):
        own = layer.gain()
        if own is not None:
            gain = own
        elif _has_weight_matrix(module.get_submodule(path)):
            _initialize_weights(module.get_submodule(path), starts[path], gain)
            _initialize_parameters(module.get_submodule(path), layer.parameter_initializers(), gain)
            gain = 1.0


def _initialize_parameters(module: nn.Module, starts: Mapping[str, Initializer], gain: float) -> None:
    import torch

    with torch.no_grad():
        for name, start in starts.items():
            start.fill(module.get_parameter(name), gain)


def _enclosing_initializer(
    path: str, starts: Mapping[str, Initializer | None], default: Initializer | None
) -> Initializer | None:
    """Return the initializer of the nearest layer that holds the one at this path."""
    while path:
        path = path.rpartition(".")[0]
        if path in starts:
            return starts[path]
    return default


def _has_weight_matrix(module: nn.Module) -> bool:
    return any(p.ndim >= 2 for p in module.parameters())


def _initialize_weights(module: nn.Module, start: Initializer | None, gain: float) -> None:
    import torch

    if start is None:
        return
    own = getattr(module, "fill_weight", None)
    with torch.no_grad():
        if own is not None:
            own(lambda weight: start.fill(weight, gain))
        for name, parameter in module.named_parameters():
            if parameter.ndim >= 2 and own is None:
                start.fill(parameter, gain)
            elif name.rpartition(".")[2] == "bias":
                parameter.zero_()
