from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.layers import Child, Layer, shape_at
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Repeat(Layer):
    """Applies copies of a layer one after the other; each copy has its own weights.

    Shapes:  the layer's, applied that many times.
    Raises:  ShapeError at the first copy that does not fit what comes before it.

    Example:
        {repeat: {times: 3, layer: [{linear: 16}, relu]}}
    """

    type: Literal["repeat"] = "repeat"
    times: int = Field(gt=0)
    """How many copies."""
    layer: Layer
    """What is repeated; a list is a sequence."""

    def children(self, x: TensorSpec) -> list[Child]:
        return self._copies(x)[0]

    def shape(self, x: TensorSpec) -> Spec:
        return self._copies(x)[1]

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers._context_torch import in_order

        return in_order({child.name: child.layer.build(child.x) for child in self.children(x)})  # type: ignore[arg-type]

    def _copies(self, x: TensorSpec) -> tuple[list[Child], Spec]:
        children: list[Child] = []
        y: Spec = x
        for i in range(self.times):
            children.append(Child(str(i), ("layer",), self.layer, y))
            y = shape_at(("layer",), self.layer, y)
        return children, y
