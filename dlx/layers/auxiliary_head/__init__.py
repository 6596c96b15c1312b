from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Child, Layer, build_children, propagate
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class AuxiliaryHead(Layer):
    """Auxiliary head (deep supervision): also predicts the target from an intermediate layer, in training.

    The input is passed on unchanged. Beside it, `layers` and a copy of the task's head compute a second prediction,
    whose loss is added to the network's, times `weight`. So early layers of a deep network get a gradient by a short
    way. Outside of training nothing of it is computed. Only tasks with a target can use it; with `head: none` in the
    task, `layers` must end in the output that the task requires.

    The plan counts what a training step computes, the head included.

    Shapes:  kept.
    Units:   weight is a factor of the loss.
    Raises:  ShapeError if layers do not fit the input.
    Source:  Szegedy et al. 2015, arXiv:1409.4842, section 5; Lee et al. 2015, arXiv:1409.5185.

    Example:
        {auxiliary_head: {layers: [{linear: 8}, relu], weight: 0.3}}
    """

    has_auxiliary_output: ClassVar[bool] = True
    primary: ClassVar[str] = "layers"
    type: Literal["auxiliary_head"] = "auxiliary_head"
    layers: list[Layer] = Field(min_length=1)
    """The layers of the prediction, without the task's head."""
    weight: float = Field(0.3, gt=0)
    """Factor of its loss."""

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child(f"layers.{c.name}", c.loc, c.layer, c.x) for c in propagate(self.layers, x, "layers")[0]]

    def shape(self, x: TensorSpec) -> Spec:
        self.auxiliary_shape(x)
        return x

    def auxiliary_shape(self, x: Spec) -> Spec:
        """Return the shape of what the layers give to the head."""
        return propagate(self.layers, x, "layers")[1]

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.auxiliary_head.module import AuxiliaryHeadModule

        built = {name.removeprefix("layers."): module for name, module in build_children(self.children(x)).items()}
        return AuxiliaryHeadModule(built, self.weight)
