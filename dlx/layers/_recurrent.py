"""What the recurrent layers share: sizes, shapes and costs of stacked cells that step through a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RecurrentLayer(Layer):
    """Steps through a sequence with a state."""

    primary: ClassVar[str] = "hidden"
    num_gates: ClassVar[int] = 1
    """How many vectors of the state's width a step computes."""
    num_saved: ClassVar[int] = 1
    """How many vectors of the state's width a step keeps for the backward pass, beside its input."""
    num_states: ClassVar[int] = 1
    """How many vectors the state of a cell consists of."""

    hidden: int = Field(gt=0)
    """Width of the state."""
    num_layers: int = Field(1, gt=0)
    """How many are stacked, each reading the states of the one below."""
    bidirectional: bool = False
    """Whether a second one reads from the end to the start; its states stand behind the first one's."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an output of a layer is set to zero before the next layer reads it, in training."""
    bias: bool = True
    """Whether biases are added: two a gate, as in cuDNN."""
    output: Literal["steps", "last"] = "steps"
    """The top layer's state at every step, or only where each direction ends."""

    @model_validator(mode="after")
    def _check_dropout(self) -> Self:
        if self.dropout and self.num_layers == 1:
            raise PydanticCustomError("dropout", "dropout acts between layers, but num_layers is 1")
        return self

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        size = self.hidden * self._directions
        return x.with_dims((x.dims[0], size)) if self.output == "steps" else x.with_dims((size,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        steps, inputs = x.dims[0] or 1, num_features(x, self.type, ("TF",))
        widths = [inputs] + [self.hidden * self._directions] * (self.num_layers - 1)
        matrices = self._directions * sum(self.num_gates * self.hidden * (w + self.hidden) for w in widths)
        cells = self._directions * self.num_layers
        vectors = cells * self.hidden * (2 * self.num_gates * self.bias + self._num_peepholes)
        kept = steps * (sum(widths) + cells * self.num_saved * self.hidden)
        return Cost(matrices + vectors, macs=steps * matrices, activations=kept)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.nn.recurrent import Recurrent

        return Recurrent(self._build_cells(num_features(x, self.type, ("TF",))), last=self.output == "last")

    def _build_cells(self, inputs: int) -> nn.RNNBase:
        """Make the cells for this many input features."""
        raise NotImplementedError

    @property
    def _directions(self) -> int:
        return 1 + self.bidirectional

    @property
    def _num_peepholes(self) -> int:
        """Return how many further vectors of weights a cell has."""
        return 0
