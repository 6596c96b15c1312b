"""What all activations share: the shape is kept, the input or the output is remembered for the backward pass."""

from __future__ import annotations

from dlx.layers import Layer, single
from dlx.tensors import Cost, TensorSpec


class Activation(Layer):
    """A function of every element by itself, or of all features at one position."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return single(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=0 if self.keeps_output else single(x, self.type).elements)

    def gain(self) -> float | None:
        return 1.0
