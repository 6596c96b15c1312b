"""What all activations share: the shape is kept, the input or the output is remembered for the backward pass."""

from __future__ import annotations

from dlx.layers import Layer, require_numeric
from dlx.tensors import Cost, TensorSpec


class Activation(Layer):
    """Activation function: of every element by itself, or of all features at one position."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_numeric(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=0 if self.saves_output else require_numeric(x, self.type).elements)

    def gain(self) -> float | None:
        return 1.0
