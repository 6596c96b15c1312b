from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class PositionEmbedding(Layer):
    """Positional encoding: adds a vector for its position to every step; attention alone ignores order.

    learned: a table of `max_length` vectors, initialized with a standard deviation of 0.02. sinusoidal: sines and
    cosines of wavelengths from 2π to 10000 · 2π, for any length, without parameters. Padding in front of a sequence is
    not counted, and in stepwise decoding the count goes on. The alternatives that act inside attention are its `rope`
    and `relative_bias`.

    Shapes:  (T, F), kept.
    Raises:  ShapeError if a learned table is shorter than the sequence, or no length is known for it, or sinusoidal
             positions get an odd number of features.
    Source:  sinusoidal: Vaswani et al. 2017, arXiv:1706.03762; learned: Gehring et al. 2017, arXiv:1705.03122.

    Example:
        {position_embedding: learned}
    """

    primary: ClassVar[str] = "kind"
    type: Literal["position_embedding"] = "position_embedding"
    kind: Literal["learned", "sinusoidal"] = "learned"
    """Learned vectors, or sines and cosines."""
    max_length: int | None = Field(None, gt=0)
    """Number of learned positions; null takes the length of the sequence."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        features = num_features(x, self.type, ("TF",))
        if self.kind == "learned":
            self._length(x)
        elif features % 2:
            raise ShapeError(f"sinusoidal positions need an even number of features, but get {features}")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self._length(x) * num_features(x, self.type, ("TF",)) if self.kind == "learned" else 0)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.position_embedding.module import LearnedPositions, SinusoidalPositions

        features = num_features(x, self.type, ("TF",))
        if self.kind == "learned":
            return LearnedPositions(self._length(x), features)
        return SinusoidalPositions(features, self.max_length or x.dims[0] or 0)

    def _length(self, x: TensorSpec) -> int:
        length = self.max_length or x.dims[0]
        if length is None:
            raise ShapeError("learned positions need a `max_length` for sequences of varying length")
        if x.dims[0] is not None and x.dims[0] > length:
            raise ShapeError(f"{x.dims[0]} steps are more than the {length} positions that are learned")
        return length
