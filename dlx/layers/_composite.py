"""Layers that are written out as a list of other layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dlx.errors import ShapeError
from dlx.layers import Child, Layer
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Composite(Layer):
    """Composite layer: a list of other layers, which depends on the input."""

    def expand(self, x: TensorSpec) -> list[Any]:
        """Return the layers of this one, as written in YAML."""
        raise NotImplementedError

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child(child.name, (), child.layer, child.x) for child in self._tree(x).children(x)]

    def shape(self, x: TensorSpec) -> Spec:
        tree = self._tree(x)  # a ShapeError of it has its place
        try:
            return tree.shape(x)
        except ShapeError as error:
            raise ShapeError(error.message) from None  # but that is not in the recipe

    def build(self, x: TensorSpec) -> nn.Module:
        return self._tree(x).build(x)

    def _tree(self, x: TensorSpec) -> Layer:
        try:
            return Layer.model_validate(self.expand(x))
        except ValidationError as error:
            first = error.errors()[0]
            raise ShapeError(f"{self.type} makes a layer that is not valid: {first['msg']}") from error
