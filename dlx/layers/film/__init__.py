from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer, require_axes, require_context, require_numeric
from dlx.layers._axes import feature_axis, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class FiLM(Layer):
    """Feature-wise linear modulation (FiLM): scales and shifts every feature by a condition of the context.

    y = x (1 + s(c)) + b(c), with s and b linear in c: a conditional network. The condition c is a vector that `provide`
    put into the context, such as an embedding of the time or of a class.

    Shapes:  kept; one scale and shift for each feature or channel.
    Raises:  ShapeError if the context has no value of that name, or it is not a vector.
    Source:  Perez et al. 2018, arXiv:1709.07871.

    Example:
        {film: condition}
    """

    primary: ClassVar[str] = "key"
    type: Literal["film"] = "film"
    key: str
    """Name of the condition in the context."""
    scale: bool = True
    """Whether features are scaled too; otherwise only shifted."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._sizes(x)
        return require_numeric(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        features, given = self._sizes(x)
        outputs = features * (1 + self.scale)
        kept = given + (x.elements + features if self.scale else 0)
        return Cost(parameters=outputs * (given + 1), macs=outputs * given, activations=kept)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.film.module import FeatureModulation

        features, given = self._sizes(x)
        return FeatureModulation(self.key, given, features, self.scale, feature_axis(x) + 1, len(x.dims) + 1)

    def _sizes(self, x: TensorSpec) -> tuple[int, int]:
        """Return how many features x has, and how many the condition."""
        condition = require_axes(
            require_context(x, self.key, self.type), "F", f"{self.type}, of its condition '{self.key}',"
        )
        return num_features(x, self.type), num_features(condition, self.type)
