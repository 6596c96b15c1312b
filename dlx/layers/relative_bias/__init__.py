from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RelativeBias(Layer):
    """Relative position bias: learns for each head a number to add to the attention scores at each distance.

    Distances share buckets: half of the buckets hold one distance each, the others logarithmically wider ranges up to
    `max_distance`, beyond which all distances share the last. A `provide` around a stack of attention layers whose
    `position_bias` names the value lets them share it.

    Shapes:  (T, F) → (num_heads, T, T): N heads, T queries, S keys; one for the whole batch.
    Raises:  ShapeError if num_buckets is odd where both directions need half of them.
    Source:  Raffel et al. 2020, arXiv:1910.10683.

    Example:
        {relative_bias: {num_heads: 4, num_buckets: 8, max_distance: 16}}
    """

    type: Literal["relative_bias"] = "relative_bias"
    num_heads: int = Field(gt=0)
    """Number of heads of the attention that reads it."""
    num_buckets: int = Field(32, ge=4)
    """Number of buckets of distances."""
    max_distance: int = Field(128, gt=1)
    """Distance from which on all share one bucket."""
    causal: bool = False
    """Whether all buckets are for earlier steps; else each direction has half of them."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        if not self.causal and self.num_buckets % 2:
            raise ShapeError(f"two directions need an even number of buckets, but there are {self.num_buckets}")
        if self._buckets_per_direction() // 2 >= self.max_distance:
            raise ShapeError(f"max_distance {self.max_distance} leaves nothing to share for {self.num_buckets} buckets")
        return x.with_dims((self.num_heads, x.dims[0], x.dims[0]), "NTS")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self.num_buckets * self.num_heads)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.relative_bias.module import RelativePositionBias

        return RelativePositionBias(self.num_heads, self.num_buckets, self.max_distance, self.causal)

    def _buckets_per_direction(self) -> int:
        return self.num_buckets if self.causal else self.num_buckets // 2
