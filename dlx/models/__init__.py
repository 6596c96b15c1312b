"""Models: architectures, each a torch-free function from its parameters to a tree of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import Layer, ParameterInit, walk
from dlx.name_maps import NameMap
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Model(Component):
    """Architecture of a network. It ends in features, to which the task appends its head, unless it `has_head`."""

    family = "models"

    unbuilt_fields: ClassVar[Mapping[str, str]] = {"init": "fills the weights of what is built"}
    init: Initializer | None = None
    """Initializer of every layer that has no `init` of its own."""

    @property
    def has_head(self) -> bool:
        """Whether the model itself ends in the output that the task requires."""
        return False

    def architecture(self, x: Spec) -> list[Any]:
        """Return the architecture for an input of this shape, as written in YAML."""
        raise NotImplementedError

    def forecast_head(self, target: TensorSpec, outputs: int) -> list[Any] | None:
        """Return the model's own head for a target of several steps and columns, with so many outputs for each value;
        None where the task's head does.
        """
        return None

    def name_maps(self) -> Mapping[str, NameMap]:
        """Return how published files name the weights of this architecture, by the library that publishes them."""
        return {}

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
    """Initialize the weights of every layer by its own initializer, or that of a layer around it, or the default.

    A module whose weight is not laid out as (outputs, inputs, …) is a `CustomWeightInit`.
    The gain is that of the first activation after the layer, as in He et al. 2015; 1 where none follows.
    """
    initializers: dict[str, Initializer | None] = {}
    nodes: list[tuple[str, Layer, Spec]] = []
    for path, layer, inner in walk(tree, x):
        initializers[path] = layer.init or _enclosing_initializer(path, initializers, default)
        if not layer.children(inner):  # type: ignore[arg-type]
            nodes.append((path, layer, inner))
    gain = 1.0
    for path, layer, inner in reversed(nodes):
        own = layer.gain()
        if own is not None:
            gain = own
        elif _has_weight_matrix(module.get_submodule(path)):
            _initialize_weights(module.get_submodule(path), initializers[path], gain)
            _initialize_parameters(module.get_submodule(path), layer.parameter_initializers(inner), gain)  # type: ignore[arg-type]
            gain = 1.0


def _initialize_parameters(module: nn.Module, parameters: list[ParameterInit], gain: float) -> None:
    import torch

    with torch.no_grad():
        for parameter in parameters:
            parameter.initializer.fill(module.get_parameter(parameter.name)[parameter.rows], gain)


def _enclosing_initializer(
    path: str, initializers: Mapping[str, Initializer | None], default: Initializer | None
) -> Initializer | None:
    """Return the initializer of the nearest layer that holds the one at this path."""
    while path:
        path = path.rpartition(".")[0]
        if path in initializers:
            return initializers[path]
    return default


def _has_weight_matrix(module: nn.Module) -> bool:
    return any(p.ndim >= 2 for p in module.parameters())


def _initialize_weights(module: nn.Module, initializer: Initializer | None, gain: float) -> None:
    import torch

    from dlx.nn.protocols import CustomWeightInit

    if initializer is None:
        return
    with torch.no_grad():
        custom = isinstance(module, CustomWeightInit)
        if isinstance(module, CustomWeightInit):
            module.fill_weight(lambda weight: initializer.fill(weight, gain))
        for name, parameter in module.named_parameters():
            if parameter.ndim >= 2 and not custom:
                initializer.fill(parameter, gain)
            elif name.rpartition(".")[2] == "bias":
                initializer.fill_bias(parameter)
