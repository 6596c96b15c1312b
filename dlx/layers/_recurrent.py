"""Base of the recurrent layers: sizes, shapes and costs of stacked cells that step through a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec, context_of

if TYPE_CHECKING:
    from torch import nn


class RecurrentLayer(Layer):
    """Recurrent layer: steps through a sequence with a state."""

    primary: ClassVar[str] = "hidden"
    unrolls_steps: ClassVar[bool] = True
    num_gates: ClassVar[int] = 1
    """Number of vectors of the state's width that a step computes."""
    num_saved: ClassVar[int] = 1
    """Number of vectors of the state's width that a step saves for the backward pass, beside its input."""
    num_states: ClassVar[int] = 1
    """Number of vectors of a cell's state: h, and c of an LSTM."""

    hidden: int = Field(gt=0)
    """Width of the state."""
    num_layers: int = Field(1, gt=0)
    """Number of stacked layers, each reading the states of the one below."""
    bidirectional: bool = False
    """Whether a second layer reads from the end to the start; its states are appended to the first one's."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an output of a layer is set to zero before the next layer reads it, in training."""
    bias: bool = True
    """Whether biases are added: two for each gate, as in cuDNN."""
    output: Literal["steps", "last"] = "steps"
    """The top layer's states at every step, or only the last of each direction."""

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

    def export_refusal(self, x: TensorSpec) -> str | None:
        if self.bidirectional and "mask" in context_of(x):
            return "a bidirectional layer packs padded sequences, for which torch.export has no operator"
        return None

    def _build_cells(self, inputs: int) -> nn.RNNBase:
        """Return the torch module of the cells, for this many input features."""
        raise NotImplementedError

    @property
    def _directions(self) -> int:
        return 1 + self.bidirectional

    @property
    def _num_peepholes(self) -> int:
        """Number of peephole vectors of a cell."""
        return 0
