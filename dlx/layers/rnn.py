from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._recurrent import RecurrentLayer

if TYPE_CHECKING:
    from torch import nn


class RNN(RecurrentLayer):
    """Simple recurrent network (RNN): steps through a sequence with a state that each step mixes with its input.

    h_t = tanh(W x_t + U h_{t−1} + b). Its state passes through the same matrix at every step, so that gradients vanish
    or explode exponentially with the distance: for more than some tens of steps take `lstm` or `gru`. Padded steps
    (context `mask`) are skipped in both directions, and their output is 0; a `cache` carries the state from call to
    call.

    Shapes:  (T, F) → (T, hidden), or (hidden,) with `output: last`; twice as wide if bidirectional.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not a sequence of features, or their number is unknown.
    Source:  Elman 1990, Cognitive Science 14; torch.nn.RNN.

    Example:
        {rnn: {hidden: 8, nonlinearity: relu}}
    """

    type: Literal["rnn"] = "rnn"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """Activation of the state; relu does not bound it: initialize it by an identity matrix then (Le et al. 2015)."""

    def _build_cells(self, inputs: int) -> nn.RNNBase:
        from torch import nn

        return nn.RNN(
            inputs,
            self.hidden,
            self.num_layers,
            nonlinearity=self.nonlinearity,
            bias=self.bias,
            batch_first=True,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
        )
