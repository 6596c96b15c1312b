from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.component import Component
from dlx.layers import Child, Layer, build_children, infer_shape
from dlx.tensors import Cost, Spec, TensorSpec
from dlx.trees import inner_layers

if TYPE_CHECKING:
    from torch import nn

MAX_LAYERS = 100_000


def count_layers(layer: Component) -> int:
    """Return how many layers a layer stands for, itself and the copies of those inside included."""
    copies = layer.times if isinstance(layer, Repeat) else 1
    return 1 + copies * sum(map(count_layers, inner_layers(layer)))


class Repeat(Layer):
    """Repetition: copies of a layer, one after the other, each with its own weights.

    Shapes:  the layer's, applied that many times.
    Raises:  ShapeError at the first copy that does not fit what comes before it.

    Example:
        {repeat: {times: 3, layer: [{linear: 16}, relu]}}
    """

    is_sequential: ClassVar[bool] = True
    type: Literal["repeat"] = "repeat"
    times: int = Field(gt=0)
    """Number of copies."""
    layer: Layer
    """The layer that is repeated; a list is sequential."""

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        layers = count_layers(self)
        if layers > MAX_LAYERS:
            raise ValueError(f"this makes {layers:,} layers of it; a network has at most {MAX_LAYERS:,}")
        return self

    def children(self, x: TensorSpec) -> list[Child]:
        return self._copies(x)[0]

    def shape(self, x: TensorSpec) -> Spec:
        return self._copies(x)[1]

    def cost(self, x: TensorSpec) -> Cost:
        total, before, each = Cost(), None, Cost()
        for child in self.children(x):
            each = each if child.x is before else self.layer.cost(child.x)  # type: ignore[arg-type]
            total, before = total + each, child.x
        return total

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.nn.context import make_sequential

        return make_sequential(build_children(self.children(x)))

    def _copies(self, x: TensorSpec) -> tuple[list[Child], Spec]:
        """Return each copy and the output of the last; once a copy keeps the shape, all after it do."""
        children = [Child("0", ("layer",), self.layer, x)]
        y = infer_shape(("layer",), self.layer, x)
        unchanged = False
        for i in range(1, self.times):
            children.append(Child(str(i), ("layer",), self.layer, y))
            after = y if unchanged else infer_shape(("layer",), self.layer, y)
            unchanged, y = after == y, y if after == y else after
        return children, y
