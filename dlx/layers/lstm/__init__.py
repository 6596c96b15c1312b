from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from dlx.layers._recurrent import RecurrentLayer

if TYPE_CHECKING:
    from torch import nn


class LSTM(RecurrentLayer):
    """Long short-term memory (LSTM): a recurrent layer whose gates write, clear and read a memory cell.

    i, f, o = σ(W x_t + U h_{t−1} + b), g = tanh(…), c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh(c_t). Along c the
    gradient is only multiplied by f, so that it survives hundreds of steps where that of `rnn` vanishes. Padded steps
    (context `mask`) are skipped in both directions, and their output is 0; a `cache` carries the state from call to
    call. Peepholes let the gates see the cell, i and f before the step and o after it, which helps with precise
    timing; they run step by step in Python, several times slower than torch's own cells.

    Shapes:  (T, F) → (T, hidden), or (hidden,) with `output: last`; twice as wide if bidirectional.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not a sequence of features, or their number is unknown.
    Source:  Hochreiter & Schmidhuber 1997; forget gates: Gers et al. 2000; peepholes: Gers & Schmidhuber 2000;
             torch.nn.LSTM.

    Example:
        {lstm: {hidden: 8, num_layers: 2, dropout: 0.2, forget_bias: 1.0}}
    """

    num_gates: ClassVar[int] = 4
    num_saved: ClassVar[int] = 7
    num_states: ClassVar[int] = 2
    type: Literal["lstm"] = "lstm"
    peepholes: bool = False
    """Peephole connections: whether the gates of a unit see its cell."""
    forget_bias: float | None = None
    """Initial bias of the forget gates; 1 or more lets cells remember from the start. null is torch's own."""

    @model_validator(mode="after")
    def _check_forget_bias(self) -> Self:
        if self.forget_bias is not None and not self.bias:
            raise PydanticCustomError("forget_bias", "forget_bias needs bias: true")
        return self

    def _build_cells(self, inputs: int) -> nn.RNNBase:
        from torch import nn

        from dlx.layers.lstm.module import PeepholeLSTM
        from dlx.nn.recurrent import set_forget_bias

        make = PeepholeLSTM if self.peepholes else nn.LSTM
        core = make(
            inputs,
            self.hidden,
            self.num_layers,
            bias=self.bias,
            batch_first=True,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
        )
        if self.forget_bias is not None:
            set_forget_bias(core, self.forget_bias)
        return core

    @property
    def _num_peepholes(self) -> int:
        return 3 * self.peepholes
