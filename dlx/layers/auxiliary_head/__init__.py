from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Child, Layer, propagate
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class AuxiliaryHead(Layer):
    """Lets the middle of a network answer too, in training: its loss is added to that of the end, times a weight.

    The input goes on as it is. Beside it, `layers` and then the same head that the task gives to the network's end make
    an answer of it, which is judged as the network's own. So early layers of a deep network get a gradient by a short
    way, and learn sooner to tell what matters. Outside training nothing of it is computed. Only tasks with a target
    judge answers; with `head: none` in the task, `layers` end themselves in what the task requires.

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
    """What makes the answer, but for the task's head."""
    weight: float = Field(0.3, gt=0)
    """Factor of its loss."""

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child(f"layers.{c.name}", c.loc, c.layer, c.x) for c in propagate(self.layers, x, "layers")[0]]

    def shape(self, x: TensorSpec) -> Spec:
        self.auxiliary_shape(x)
        return x

    def auxiliary_shape(self, x: Spec) -> Spec:
        """Return what the answer is."""
        return propagate(self.layers, x, "layers")[1]

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.auxiliary_head.module import AuxiliaryHeadModule

        built = {c.name.removeprefix("layers."): c.layer.build(c.x) for c in self.children(x)}  # type: ignore[arg-type]
        return AuxiliaryHeadModule(built, self.weight)
