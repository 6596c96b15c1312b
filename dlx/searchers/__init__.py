"""Searchers: how a sweep proposes the values of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from dlx.component import Component
from dlx.search_space import Params, Scalar, SearchSpace

History = Mapping[int, tuple[Params, float]]
"""Finished trials by number: their values, and what came of them."""


class Sampler(Protocol):
    """Proposes the values of trials: each follows from its number, the seed, and the trials that are finished."""

    def propose(self, number: int, history: History) -> dict[str, Scalar]:
        """Return the values of a trial."""


class Searcher(Component):
    """How the values of trials are proposed.

    A proposal is a function of the study's seed, the number of the trial and the finished trials, so that a study that
    was interrupted proposes what it would have proposed.
    """

    family = "searchers"
    trials: int = Field(50, ge=1)
    """Trials of the study in all, however often it is resumed."""

    def limit(self, space: SearchSpace) -> int:
        """Return how many trials there are: no more than points of the space, where each is taken once."""
        return self.trials

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        """Make what proposes values of the space, of which the best has the largest or smallest metric."""
        raise NotImplementedError


def trial_seed(seed: int, number: int) -> int:
    """Return the seed of a trial's proposal (32 bits)."""
    import numpy as np

    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
