"""Values drawn independently of all others."""

from __future__ import annotations

from dlx.search_space import Choice, Domain, Scalar, SearchSpace
from dlx.searchers import History, trial_seed


class UniformSampler:
    """Draws options with the same probability, and ranges evenly on their own scale."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.seed = space, seed

    def propose(self, number: int, history: History) -> dict[str, Scalar]:
        """Return the values of a trial, which follow from the seed and its number alone."""
        import numpy as np

        generator = np.random.default_rng(trial_seed(self.seed, number))

        def choose(name: str, domain: Domain) -> Scalar:
            if isinstance(domain, Choice):
                return domain.names[int(generator.integers(len(domain.names)))]
            if domain.size is not None and not domain.log:
                return domain.at(int(generator.integers(domain.size)) / max(1, domain.size - 1))
            return domain.at(float(generator.random()))

        return self.space.draw(choose)
