from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import feature_axis, num_features, with_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Maxout(Layer):
    """Maxout: the largest of every few neighboring features.

    After a linear layer with `pieces` times as many features each unit is a piecewise linear convex function of that
    many pieces: a learned activation.

    Shapes:  (F,) → (F / pieces,); (T, F) → (T, F / pieces); (C, H, W) → (C / pieces, H, W).
    Raises:  ShapeError if pieces does not divide the features.
    Source:  Goodfellow et al. 2013, arXiv:1302.4389.

    Example:
        {maxout: 2}
    """

    primary: ClassVar[str] = "pieces"
    type: Literal["maxout"] = "maxout"
    pieces: int = Field(2, gt=1)
    """Number of features of which the largest is kept."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        features = num_features(x, self.type)
        if features % self.pieces:
            raise ShapeError(f"{self.pieces} pieces do not divide {features} features")
        return with_features(x, features // self.pieces)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=self.shape(x).elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.maxout.module import GroupMaximum

        return GroupMaximum(feature_axis(x) + 1, self.pieces)

    def gain(self) -> float:
        return 1.0
