from __future__ import annotations

from pathlib import Path
from typing import Literal

from dlx.sources import Samples
from dlx.sources._letters import LetterSequences


class Copy(LetterSequences):
    """Copy task: reproduce a random sequence of letters.

    Can a network carry all of its input to its output? One without attention must squeeze it into one state.

    Shapes:  source, text of letters with spaces between; target, the like.
    Source:  Graves et al. 2014, arXiv:1410.5401, section 4.1.

    Example:
        {type: copy, n_samples: 2000, n_symbols: 8, max_length: 12}
    """

    type: Literal["copy"] = "copy"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        return self.map_sequences(list)
