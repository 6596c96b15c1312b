from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, require_axes, require_context
from dlx.layers._axes import num_features
from dlx.layers._recurrent import RecurrentLayer
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RecurrentDecoder(Layer):
    """Recurrent decoder with attention: steps through a target sequence and attends to an encoder's `memory`.

    Weights a_ts = softmax_s(score) give c_t = Σ_s a_ts m_s, and y_t = tanh(W [h_t; c_t]) is the output. bahdanau
    (additive) attends before the step, score = v · tanh(W h_{t−1} + U m_s), and gives c_t to the cell beside x_t. luong
    (multiplicative) attends after it, score = h_t · W m_s, so that all steps run at once, which is faster; but with
    input_feeding, y_{t−1} stands beside x_t. The initial state is a linear function, with tanh, of the memory's mean;
    Bahdanau takes the encoder's last backward state (`initial_state: backward`), Luong its last state (`last`). In
    training the input is the target itself, one step late (teacher forcing); with a `cache` it is the new steps of
    stepwise decoding. Padding (`mask`, `memory_mask`) counts nowhere.

    Shapes:  (T, F) → (T, hidden of the cell); memory (S, D).
    Raises:  ShapeError if nothing provides a memory, or the input is not a sequence of features.
    Source:  Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025 (global, general; input_feeding:
             section 3.3). Deviation: Luong's output layer serves both, in the place of Bahdanau's
             maxout.

    Example:
        {recurrent_decoder: {cell: {gru: 8}, attention: bahdanau}}
    """

    type: Literal["recurrent_decoder"] = "recurrent_decoder"
    cell: Layer = Field(default={"gru": 256}, validate_default=True)
    """The recurrent layer of the decoder."""
    attention: Literal["bahdanau", "luong"] = "bahdanau"
    """Additive attention before each step, or multiplicative attention after it."""
    initial_state: Literal["mean", "backward", "last"] = "mean"
    """Which part of the memory the initial state is computed from: the mean of its steps; backward, the second half of
    its first step, where a bidirectional encoder's backward states end; or its last step.
    """
    input_feeding: bool = False
    """Input feeding, with luong: whether the cell also reads the output of the step before, and so where it attended;
    steps then run one by one.
    """

    @model_validator(mode="after")
    def _check_input_feeding(self) -> Self:
        if self.input_feeding and self.attention == "bahdanau":
            raise PydanticCustomError(
                "input_feeding", "input_feeding is for luong: bahdanau gives its context vector to the cell anyway"
            )
        return self

    @field_validator("cell")
    @classmethod
    def _check_cell(cls, cell: Layer) -> Layer:
        if not isinstance(cell, RecurrentLayer):
            raise PydanticCustomError("cell", "{kind} is no recurrent layer", {"kind": cell.type})
        if cell.bidirectional or cell.output != "steps":
            raise PydanticCustomError("cell", "the cell of a decoder goes forward and gives every step", {})
        return cell

    def children(self, x: TensorSpec) -> list[Child]:
        cell, memory = self._cell, self._memory(x)
        hidden, steps, inputs = cell.hidden, x.dims[0], num_features(x, self.type, ("TF",))
        places, size = memory.dims[0] or 1, memory.dims[-1] or 0
        looks_first = self.attention == "bahdanau"
        parts = [
            _linear("initial", hidden * cell.num_layers * cell.num_states, self._summary(size), bias=True),
            _linear("keys", hidden, memory, bias=looks_first),
            Child(
                "cell",
                ("cell",),
                cell,
                TensorSpec((steps, inputs + size * looks_first + hidden * self.input_feeding), "TF"),
            ),
            _linear("output", hidden, TensorSpec((steps, hidden + size), "TF"), bias=False),
        ]
        if looks_first:
            parts.append(_linear("query", hidden, TensorSpec((steps, hidden), "TF"), bias=False))
            parts.append(_linear("score", 1, TensorSpec(((steps or 1) * places, hidden), "TF"), bias=False))
        return parts

    def shape(self, x: TensorSpec) -> TensorSpec:
        self.children(x)
        return x.with_dims((x.dims[0], self._cell.hidden))

    def cost(self, x: TensorSpec) -> Cost:
        memory, hidden = self._memory(x), self._cell.hidden
        steps, places, size = x.dims[0] or 1, memory.dims[0] or 1, memory.dims[-1] or 0
        products = size + hidden * (self.attention == "luong")
        kept = steps * places + (steps + places) * hidden  # weights, outputs, keys
        return super().cost(x) + Cost(macs=steps * places * products, activations=kept)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.recurrent_decoder import module

        after = module.InputFeedingDecoder if self.input_feeding else module.LuongDecoder
        decoder = module.BahdanauDecoder if self.attention == "bahdanau" else after
        parts = build_children(self.children(x))
        return decoder(parts, self.initial_state)

    @property
    def _cell(self) -> RecurrentLayer:
        return cast(RecurrentLayer, self.cell)

    def _summary(self, size: int) -> TensorSpec:
        """Return the spec of what the initial state is computed from."""
        if self.initial_state != "backward":
            return TensorSpec((size,), "F")
        if size % 2:
            raise ShapeError(f"initial_state: backward needs a memory of two directions, but its features are {size}")
        return TensorSpec((size // 2,), "F")

    def _memory(self, x: TensorSpec) -> TensorSpec:
        memory = require_axes(require_context(x, "memory", self.type), "TF", "the memory of recurrent_decoder")
        if memory.dims[-1] is None:
            raise ShapeError(f"recurrent_decoder needs to know how many features the memory has, but gets {memory}")
        return memory


def _linear(name: str, features: int, x: TensorSpec, bias: bool) -> Child:
    spelling: dict[str, Any] = {"linear": {"features": features, "bias": bias}}
    return Child(name, (), Layer.model_validate(spelling), x)
