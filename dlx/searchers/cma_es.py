from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.search_space import Choice, Domain, Range, Scalar, SearchSpace
from dlx.searchers import History, Sampler, Searcher, trial_seed
from dlx.searchers._uniform import UniformSampler

if TYPE_CHECKING:
    import numpy as np


class CmaEs(Searcher):
    """Covariance matrix adaptation evolution strategy (CMA-ES): a normal distribution that moves to the best trials.

    Ranges are scaled to [0, 1], on their own scale; the distribution begins in their middle and moves after every
    generation of trials. Choices, and ranges inside of alternatives, are drawn at random. Prefer it for continuous
    parameters and many trials.

    Source:  Hansen 2016, arXiv:1604.00772, as the package cmaes implements it.

    Example:
        {type: cma_es, trials: 100}
    """

    extra: ClassVar[str | None] = "sweep"
    requires: ClassVar[tuple[str, ...]] = ("cmaes",)
    type: Literal["cma_es"] = "cma_es"
    sigma0: float = Field(0.2, gt=0)
    """Standard deviation of the first generation, as a share of each range."""
    popsize: int | None = Field(None, ge=3)
    """Trials of a generation; by default 4 + 3 ln(number of ranges)."""

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        return _CmaSampler(self, space, seed, maximize)


class _CmaSampler:
    """Replays all generations whose trials are finished, and asks for a candidate of the next one."""

    def __init__(self, searcher: CmaEs, space: SearchSpace, seed: int, maximize: bool) -> None:
        self.searcher, self.space, self.seed, self.sign = searcher, space, seed, -1.0 if maximize else 1.0
        self.random = UniformSampler(space, seed)
        domains = space.domains.items()
        self.ranges = {path: d for path, d in domains if isinstance(d, Range) and d.high > d.low}

    def propose(self, number: int, history: History) -> dict[str, Scalar]:
        drawn = self.random.propose(number, history)
        if len(self.ranges) < 2:  # the strategy needs a covariance
            return drawn
        candidate = self._candidate(number, history)
        shares = dict(zip(self.ranges, candidate, strict=True))

        def choose(name: str, domain: Domain) -> Scalar:
            return drawn[name] if isinstance(domain, Choice) or name not in shares else domain.at(float(shares[name]))

        return self.space.draw(choose)

    def _candidate(self, number: int, history: History) -> np.ndarray:
        import numpy as np
        from cmaes import CMA

        n = len(self.ranges)
        optimizer = CMA(
            mean=np.full(n, 0.5), sigma=self.searcher.sigma0, bounds=np.array([[0.0, 1.0]] * n),
            seed=trial_seed(self.seed, 0), population_size=self.searcher.popsize,
        )  # fmt: skip
        first = 0
        while True:
            candidates = [optimizer.ask() for _ in range(optimizer.population_size)]
            place = number - first
            if place < len(candidates):
                found: np.ndarray = candidates[place]
                return found
            optimizer.tell(self._pair_with_costs(candidates, first, history))
            first += len(candidates)

    def _pair_with_costs(self, candidates: list[Any], first: int, history: History) -> list[tuple[Any, float]]:
        """Return candidates with what came of them, to be minimized; those without a value are as bad as the worst."""
        values = [history[first + i][1] * self.sign if first + i in history else None for i in range(len(candidates))]
        worst = max((value for value in values if value is not None), default=0.0)
        return [(c, worst if value is None else value) for c, value in zip(candidates, values, strict=True)]
