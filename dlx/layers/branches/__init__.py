from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, infer_shape, require_numeric
from dlx.layers._axes import feature_axis
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Branches(Layer):
    """Parallel branches: applies several layers to the same input and concatenates or adds their outputs.

    concat concatenates features (Inception), sum and product combine them element by element (gates). A
    branch that begins with `field` reads one field of a record, so that inputs of different kinds are joined here.

    Shapes:  concat: equal but for the features, which add up; sum and product: equal.
    Raises:  ShapeError if the branches' outputs cannot be joined.
    Source:  Szegedy et al. 2015, arXiv:1409.4842.

    Example:
        {branches: {join: concat, of: [[{linear: 8}, relu], {linear: 4}]}}
    """

    primary: ClassVar[str] = "of"
    type: Literal["branches"] = "branches"
    join: Literal["concat", "sum", "product"] = "concat"
    """How the outputs become one."""
    of: list[Layer] = Field(min_length=1)
    """The branches; a list is a sequence."""

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child(layer.name or str(i), ("of", i), layer, x) for i, layer in enumerate(self.of)]

    def shape(self, x: TensorSpec) -> TensorSpec:
        names = [child.name for child in self.children(x)]
        if len(set(names)) < len(names):
            raise ShapeError("two branches have the same name", ("of",))
        outputs = [self._branch_shape(i, layer, x) for i, layer in enumerate(self.of)]
        for i, y in enumerate(outputs):
            if self._fixed_dims(y) != self._fixed_dims(outputs[0]):
                first = f"{outputs[0]} ({outputs[0].axes}) of the first"
                raise ShapeError(f"{y} ({y.axes}) cannot be joined by {self.join} with {first}", ("of", i))
        return self._joined_shape(outputs)

    def cost(self, x: TensorSpec) -> Cost:
        outputs = [self._branch_shape(i, layer, x) for i, layer in enumerate(self.of)]
        kept = sum(y.elements for y in outputs) if self.join == "product" else 0
        return super().cost(x) + Cost(activations=kept)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.branches.module import ParallelBranches

        built = build_children(self.children(x))
        return ParallelBranches(built, self.join, feature_axis(self.shape(x)) + 1)

    def _branch_shape(self, i: int, layer: Layer, x: TensorSpec) -> TensorSpec:
        y = infer_shape(("of", i), layer, x)
        try:
            y = require_numeric(y, f"join: {self.join}")
        except ShapeError as error:
            raise error.within("of", i) from None
        if self.join == "concat" and (feature_axis(y) < 0 or y.dims[feature_axis(y)] is None):
            raise ShapeError(f"join: concat needs a known number of features, but gets {y}", ("of", i))
        return y

    def _fixed_dims(self, y: TensorSpec) -> tuple[object, ...]:
        """Return what must be equal in all outputs."""
        dims = list(y.dims)
        if self.join == "concat":
            dims.pop(feature_axis(y))
        return (y.axes, *dims)

    def _joined_shape(self, outputs: list[TensorSpec]) -> TensorSpec:
        first = outputs[0]
        if self.join != "concat":
            return first.with_dims(first.dims)
        axis = feature_axis(first)
        total = sum(y.dims[axis] or 0 for y in outputs)
        return first.with_dims((*first.dims[:axis], total, *first.dims[axis + 1 :]))
