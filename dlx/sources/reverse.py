from __future__ import annotations

from pathlib import Path
from typing import Literal

from dlx.sources import Samples
from dlx.sources._letters import LetterSequences


class Reverse(LetterSequences):
    """Reverse task: reverse a random sequence of letters.

    Attention between target and source is then the anti-diagonal, which a picture shows.

    Shapes:  source, text of letters with spaces between; target, the like.
    Source:  Grefenstette et al. 2015, arXiv:1506.02516.

    Example:
        {type: reverse, n_samples: 2000, n_symbols: 8, max_length: 12}
    """

    type: Literal["reverse"] = "reverse"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        return self.map_sequences(lambda sequence: list(reversed(sequence)))
