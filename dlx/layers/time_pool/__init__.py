from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TimePool(Layer):
    """Pooling over time: one vector of a sequence, from its real steps alone.

    mean; max of each feature, which says whether a pattern is anywhere; last, the step at which the sequence ends;
    attention, a mean with learned weights: softmax_t(v · tanh(W x_t + b)). Padding (context `mask`) counts nowhere; a
    sequence without any real step gives 0.

    Shapes:  (T, F) → (F,).
    Raises:  ShapeError if the input is not a sequence of features, or their number is unknown.
    Source:  attention: Yang et al. 2016 (NAACL), as for words.

    Example:
        {time_pool: attention}
    """

    primary: ClassVar[str] = "mode"
    type: Literal["time_pool"] = "time_pool"
    mode: Literal["mean", "max", "last", "attention"] = "mean"
    """How the steps are reduced to one vector."""
    hidden: int | None = Field(None, gt=0)
    """Width of W in mode attention; null takes the number of features."""

    @model_validator(mode="after")
    def _check_hidden(self) -> Self:
        if self.hidden is not None and self.mode != "attention":
            raise PydanticCustomError("hidden", "hidden is a width in mode attention; mode {mode} has none", vars(self))
        return self

    def shape(self, x: TensorSpec) -> TensorSpec:
        size = num_features(x, self.type, ("TF",))
        return x.with_dims((size,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        size = num_features(x, self.type, ("TF",))
        if self.mode != "attention":
            return Cost(activations=x.elements if self.mode == "max" else 0)
        hidden, steps = self.hidden or size, x.elements // size
        macs = steps * (size * hidden + hidden + size)
        return Cost(hidden * (size + 2), macs=macs, activations=x.elements + steps * (hidden + 1))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.time_pool import module

        size = num_features(x, self.type, ("TF",))
        if self.mode == "attention":
            return module.AttentionPool(size, self.hidden or size)
        return {"mean": module.MeanPool, "max": module.MaxPool, "last": module.LastPool}[self.mode]()
