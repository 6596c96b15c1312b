from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.search_space import SearchSpace
from dlx.searchers import Sampler, Searcher


class Gp(Searcher):
    """Gaussian-process search (Bayesian optimization): the largest expected improvement under a Gaussian process.

    Prefer it where trials are expensive and parameters few and continuous. The first trials are random. It is Optuna's
    GPSampler with a seed for every trial.

    Source:  Jones, Schonlau & Welch 1998, doi:10.1023/A:1008306431147; as Optuna implements it.

    Example:
        {type: gp, trials: 40}
    """

    extra: ClassVar[str | None] = "sweep"
    requires: ClassVar[tuple[str, ...]] = ("optuna",)
    type: Literal["gp"] = "gp"
    n_startup_trials: int = Field(10, ge=1)
    """Random trials before the process is fitted."""

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        from dlx.searchers._optuna import OptunaSampler

        return OptunaSampler(self._sampler, space, seed, maximize)

    def _sampler(self, seed: int) -> object:
        from optuna.samplers import GPSampler

        return GPSampler(n_startup_trials=self.n_startup_trials, seed=seed)
