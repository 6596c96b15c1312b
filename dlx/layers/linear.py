from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, LinearMap, require_axes
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Linear(Layer):
    """Linear (fully connected, dense) layer: y = W x + b.

    Acts on the last axis; the others are kept, so that it also maps every step of a sequence.

    Shapes:  (F,) → (features,); (T, F) → (T, features).
    Raises:  ShapeError if the input is not features, or their number is unknown.
    Source:  torch.nn.Linear.

    Example:
        {linear: 64}
    """

    primary: ClassVar[str] = "features"
    has_one_weight: ClassVar[bool] = True
    type: Literal["linear"] = "linear"
    features: int = Field(gt=0)
    """Number of output features."""
    bias: bool = True
    """Whether a bias is added."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return self._input(x).with_dims((*x.dims[:-1], self.features))

    def cost(self, x: TensorSpec) -> Cost:
        inputs = self._width(x)
        positions = x.elements // inputs
        return Cost(
            parameters=self.features * (inputs + self.bias),
            macs=positions * inputs * self.features,
            activations=x.elements,
        )

    def linear_maps(self, x: TensorSpec) -> dict[str, LinearMap]:
        return {"": LinearMap(self.features, self._width(x), self.bias)}

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Linear(self._width(x), self.features, bias=self.bias)

    def _input(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, ("F", "TF"), "linear")

    def _width(self, x: TensorSpec) -> int:
        width = self._input(x).dims[-1]
        if width is None:
            raise ShapeError(f"linear needs to know how many features come in, but gets {x}")
        return width
