from __future__ import annotations

from typing import Literal

from dlx.search_space import SearchSpace
from dlx.searchers import Sampler, Searcher
from dlx.searchers._uniform import UniformSampler


class Random(Searcher):
    """Random search: every trial's values are drawn independently.

    Choices are equally likely, ranges uniform, or uniform in the logarithm. It needs no metric, so that any number of
    workers find the same trials, and with few important parameters it beats a grid of the same size.

    Source:  Bergstra & Bengio 2012, JMLR 13:281-305.

    Example:
        {type: random, trials: 20}
    """

    type: Literal["random"] = "random"

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        return UniformSampler(space, seed)
