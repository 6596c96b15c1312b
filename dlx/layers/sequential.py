from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Child, Layer, build_children, propagate
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Sequential(Layer):
    """Sequential: applies layers one after the other. A bare list of layers means this.

    Shapes:  the input of the first layer → the output of the last.
    Raises:  ShapeError at the first layer that does not fit what comes before it.

    Example:
        {sequential: [{linear: 32}, relu, {linear: 16}]}
    """

    primary: ClassVar[str] = "layers"
    is_sequential: ClassVar[bool] = True
    type: Literal["sequential"] = "sequential"
    layers: list[Layer]
    """The layers, in order."""

    @property
    def is_head(self) -> bool:
        """Whether the last of the layers is."""
        return bool(self.layers) and self.layers[-1].is_head

    def children(self, x: TensorSpec) -> list[Child]:
        return propagate(self.layers, x, "layers")[0]

    def shape(self, x: TensorSpec) -> Spec:
        return propagate(self.layers, x, "layers")[1]

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.nn.context import make_sequential

        return make_sequential(build_children(self.children(x)))
