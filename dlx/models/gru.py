from __future__ import annotations

from typing import Literal

from dlx.models._recurrent import RecurrentModel


class GRU(RecurrentModel):
    """GRU (gated recurrent units): reads a sequence step by step into a state that gates keep or replace.

    Tokens are embedded; a series is taken as it is; an image of one channel is read row by row. As good as `lstm` on
    most tasks with three quarters of its weights.

    Shapes:  (T,) tokens, (T, F) or (1, H, W) → (hidden,), twice as wide if bidirectional; (T, hidden) with `output:
             steps`.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is no sequence.
    Source:  Cho et al. 2014, arXiv:1406.1078.

    Example:
        {type: gru, hidden: 32, embedding_dim: 16, bidirectional: true, output: attention}
    """

    type: Literal["gru"] = "gru"
