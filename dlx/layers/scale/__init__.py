from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer, require_numeric
from dlx.layers._axes import feature_axis, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Scale(Layer):
    """Scaling: multiplies by a number that is fixed or learned, as LayerScale does.

    Learned for each feature, from a value near zero, at the end of a residual branch it is the LayerScale of deep
    transformers.

    Shapes:  kept.
    Source:  Touvron et al. 2021, arXiv:2103.17239.

    Example:
        {scale: {factor: 1.0e-4, learn: feature}}
    """

    primary: ClassVar[str] = "factor"
    type: Literal["scale"] = "scale"
    factor: float
    """The number, or its initial value if it is learned."""
    learn: Literal["none", "all", "feature"] = "none"
    """Not learned, one factor for all, or one for each feature or channel."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._num_factors(x)
        return require_numeric(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        learned = self._num_factors(x)
        return Cost(parameters=learned, activations=x.elements if learned else 0)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.scale.module import FixedScale, LearnedScale

        if self.learn == "none":
            return FixedScale(self.factor)
        trailing = len(x.dims) - 1 - feature_axis(x) if self.learn == "feature" else 0
        return LearnedScale(self.factor, self._num_factors(x), trailing)

    def _num_factors(self, x: TensorSpec) -> int:
        return {"none": 0, "all": 1}[self.learn] if self.learn != "feature" else num_features(x, self.type)
