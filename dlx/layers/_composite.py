"""A layer that stands for a list of other layers, as a person would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dlx.errors import ShapeError
from dlx.layers import Child, Layer
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Composite(Layer):
    """A layer that is nothing but the layers that it writes out for its input."""

    def expand(self, x: TensorSpec) -> list[Any]:
        """Return the layers that this one stands for."""
        raise NotImplementedError

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child(child.name, (), child.layer, child.x) for child in self._tree(x).children(x)]

    def shape(self, x: TensorSpec) -> Spec:
        tree = self._tree(x)  # may know the place of what does not fit
        try:
            return tree.shape(x)
        except ShapeError as error:
            raise ShapeError(error.message) from None  # its place is in no recipe

    def build(self, x: TensorSpec) -> nn.Module:
        return self._tree(x).build(x)

    def _tree(self, x: TensorSpec) -> Layer:
        try:
            return Layer.model_validate(self.expand(x))
        except ValidationError as error:
            first = error.errors()[0]
            raise ShapeError(f"{self.type} makes a layer that is not valid: {first['msg']}") from error
