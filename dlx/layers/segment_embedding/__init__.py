from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SegmentEmbedding(Layer):
    """Segment (token type) embedding: adds a learned vector for the text that a step belongs to, of several.

    The text is read from `segment` in the context; where nothing provides that, all steps belong to the
    first.

    Shapes:  (T, F), kept.
    Source:  Devlin et al. 2018, arXiv:1810.04805.

    Example:
        {segment_embedding: 2}
    """

    primary: ClassVar[str] = "num_segments"
    type: Literal["segment_embedding"] = "segment_embedding"
    num_segments: int = Field(2, gt=0)
    """Number of texts that a sequence may consist of."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self.num_segments * num_features(x, self.type, ("TF",)))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.segment_embedding.module import SegmentTable

        return SegmentTable(self.num_segments, num_features(x, self.type, ("TF",)))
