from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SelectStep(Layer):
    """Selection of one step of a sequence, by default the first, where a class token stands.

    Shapes:  (T, F) → (F,).
    Raises:  ShapeError if the sequence has no such step.

    Example:
        select_step
    """

    primary: ClassVar[str] = "index"
    type: Literal["select_step"] = "select_step"
    index: int = Field(0, ge=0)
    """Index of the step, from 0."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        features = num_features(x, self.type, ("TF",))
        if x.dims[0] is not None and self.index >= x.dims[0]:
            raise ShapeError(f"a sequence of {x.dims[0]} steps has no step {self.index}, counted from 0")
        return x.with_dims((features,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.select_step.module import TimeStepSelection

        return TimeStepSelection(self.index)
