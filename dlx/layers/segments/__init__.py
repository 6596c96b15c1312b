from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import width
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Segments(Layer):
    """Adds a learned vector to every step that says to which of several texts it belongs.

    Which one it is is read from `segment` in the context; where nothing provides that, all steps belong to the
    first.

    Shapes:  (T, F), kept.
    Source:  Devlin et al. 2018, arXiv:1810.04805.

    Example:
        {segments: 2}
    """

    primary: ClassVar[str] = "kinds"
    type: Literal["segments"] = "segments"
    kinds: int = Field(2, gt=0)
    """How many different texts a sequence may be made of."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        width(x, self.type, ("TF",))
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self.kinds * width(x, self.type, ("TF",)))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.segments.module import SegmentVectors

        return SegmentVectors(self.kinds, width(x, self.type, ("TF",)))
