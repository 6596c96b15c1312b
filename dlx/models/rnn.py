from __future__ import annotations

from typing import Any, Literal

from dlx.models._recurrent import RecurrentModel


class RNN(RecurrentModel):
    """RNN (simple recurrent network): reads a sequence step by step into a state.

    Tokens are embedded; a series is taken as it is; an image of one channel is read row by row. It forgets what is
    more than some tens of steps back; `lstm` and `gru` improve on that.

    Shapes:  (T,) tokens, (T, F) or (1, H, W) → (hidden,), twice as wide if bidirectional; (T, hidden) with `output:
             steps`.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is no sequence.
    Source:  Elman 1990, Cognitive Science 14.

    Example:
        {type: rnn, hidden: 32, embedding_dim: 16}
    """

    type: Literal["rnn"] = "rnn"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """Activation of the state; relu does not bound it."""

    def cell(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}
