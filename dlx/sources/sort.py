from __future__ import annotations

from pathlib import Path
from typing import Literal

from dlx.sources import Samples
from dlx.sources._letters import LetterSequences


class Sort(LetterSequences):
    """Sort task: sort a random sequence of letters, duplicates included.

    Every letter of the target depends on all of the source; attention looks for the next larger one.

    Shapes:  source, text of letters with spaces between; target, the like.
    Source:  Vinyals et al. 2016, arXiv:1511.06391, section 4.1.

    Example:
        {type: sort, n_samples: 2000, n_symbols: 8, max_length: 12}
    """

    type: Literal["sort"] = "sort"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        return self.map_sequences(sorted)
