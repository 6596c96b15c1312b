from __future__ import annotations

from typing import Any, Literal

from dlx.models._recurrent import RecurrentModel


class LSTM(RecurrentModel):
    """LSTM (long short-term memory): reads a sequence step by step into cells that gates write, clear and read.

    Tokens are embedded; a series is taken as it is; an image of one channel is read row by row. Remembers over
    hundreds of steps, where `rnn` forgets after tens.

    Shapes:  (T,) tokens, (T, F) or (1, H, W) → (hidden,), twice as wide if bidirectional; (T, hidden) with `output:
             steps`.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is no sequence.
    Source:  Hochreiter & Schmidhuber 1997, Neural Computation 9(8).

    Example:
        {type: lstm, hidden: 32, embedding_dim: 16, num_layers: 2, dropout: 0.2}
    """

    type: Literal["lstm"] = "lstm"
    peepholes: bool = False
    """Peephole connections: whether the gates see the cell; several times slower."""
    forget_bias: float | None = None
    """Initial bias of the forget gates; 1 or more lets cells remember from the start. null is torch's own."""

    def cell(self) -> dict[str, Any]:
        return {"peepholes": self.peepholes, "forget_bias": self.forget_bias}
