from __future__ import annotations

from itertools import islice
from typing import Literal

from pydantic import Field

from dlx.search_space import Scalar, SearchSpace
from dlx.searchers import History, Sampler, Searcher


class Grid(Searcher):
    """Grid search: every combination of values, in order; the last path changes first.

    A range that has no end of values takes `points` of them, evenly spaced on its scale. Prefer random search where
    there are more than two or three parameters.

    Source:  Bergstra & Bengio 2012, JMLR 13:281-305, compare both.

    Example:
        {type: grid, points: 4}
    """

    type: Literal["grid"] = "grid"
    trials: int = Field(1000, ge=1)
    """Trials of the study at most: the first ones of the grid."""
    points: int = Field(5, ge=1)
    """Values that are taken of a range."""

    def limit(self, space: SearchSpace) -> int:
        return sum(1 for _ in islice(space.grid(self.points), self.trials))

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        return _GridSampler(space, self.points)


class _GridSampler:
    def __init__(self, space: SearchSpace, points: int) -> None:
        self.space, self.points = space, points

    def propose(self, number: int, history: History) -> dict[str, Scalar]:
        return next(islice(self.space.grid(self.points), number, None))
