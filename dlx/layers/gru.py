from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers._recurrent import RecurrentLayer

if TYPE_CHECKING:
    from torch import nn


class GRU(RecurrentLayer):
    """Gated recurrent unit (GRU): steps through a sequence with a state that gates either keep or replace.

    r = σ(W_r x_t + U_r h_{t−1}), z = σ(W_z x_t + U_z h_{t−1}), n = tanh(W x_t + r ⊙ U h_{t−1}),
    h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n, each with its biases. Three quarters of the weights of an `lstm` of the same
    width, and as good on most tasks. Padded steps (context `mask`) are skipped in both directions, and their output
    is 0; a `cache` carries the state from call to call.

    Shapes:  (T, F) → (T, hidden), or (hidden,) with `output: last`; twice as wide if bidirectional.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not a sequence of features, or their number is unknown.
    Source:  Cho et al. 2014, arXiv:1406.1078; torch.nn.GRU, whose reset gate acts after the matrix U.

    Example:
        {gru: {hidden: 8, bidirectional: true}}
    """

    num_gates: ClassVar[int] = 3
    num_saved: ClassVar[int] = 7
    type: Literal["gru"] = "gru"

    def _build_cells(self, inputs: int) -> nn.RNNBase:
        from torch import nn

        return nn.GRU(
            inputs,
            self.hidden,
            self.num_layers,
            bias=self.bias,
            batch_first=True,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
        )
