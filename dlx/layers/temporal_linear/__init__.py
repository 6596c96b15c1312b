from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features, require_unpadded
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TemporalLinear(Layer):
    """Temporal linear map: maps the steps of each feature to other steps, by the same weights for all features.

    y_f = W x_f + b. What one channel of a series learns serves all of them, and no channel sees another: the map of
    `dlinear` and `nlinear` from a history to a forecast.

    Shapes:  (T, F) → (steps, features · outputs), the outputs of a feature side by side.
    Raises:  ShapeError if the input is not a sequence of known length, or has fewer features than are asked for.
    Source:  Zeng et al. 2023, arXiv:2205.13504.

    Example:
        {temporal_linear: {steps: 4, subtract_last: true}}
    """

    primary: ClassVar[str] = "steps"
    type: Literal["temporal_linear"] = "temporal_linear"
    steps: int = Field(gt=0)
    """Number of output steps."""
    features: int | None = Field(None, gt=0)
    """How many features are mapped, the first of the input; null maps all."""
    outputs: int = Field(1, gt=0)
    """Values for each step and feature, such as quantiles."""
    subtract_last: bool = False
    """Whether the last step of each feature is subtracted from the input and added to the output."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._inputs(x)
        return x.with_dims((self.steps, self._features(x) * self.outputs))

    def cost(self, x: TensorSpec) -> Cost:
        weights = self._inputs(x) * self.steps * self.outputs
        return Cost(weights + self.steps * self.outputs, macs=weights * self._features(x), activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.temporal_linear.module import TemporalLinearMap

        return TemporalLinearMap(self._inputs(x), self.steps, self._features(x), self.outputs, self.subtract_last)

    def _inputs(self, x: TensorSpec) -> int:
        num_features(x, self.type, ("TF",))
        require_unpadded(x, self.type, "a recurrent layer")
        if x.dims[0] is None:
            raise ShapeError(f"{self.type} needs sequences of one length, but gets {x}")
        return x.dims[0]

    def _features(self, x: TensorSpec) -> int:
        given = num_features(x, self.type, ("TF",))
        if self.features is not None and self.features > given:
            raise ShapeError(f"{self.type} maps the first {self.features} features, but there are only {given}")
        return self.features or given
