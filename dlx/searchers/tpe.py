from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.search_space import SearchSpace
from dlx.searchers import Sampler, Searcher


class Tpe(Searcher):
    """Tree-structured Parzen estimator (TPE): values like those of the best trials and unlike those of the others.

    Two densities are estimated of each parameter, over the best trials and over the rest; the proposal is the candidate
    with the largest ratio. The first trials are random. It is Optuna's TPESampler with a seed for every trial.

    Source:  Bergstra et al. 2011, NeurIPS 24; Watanabe 2023, arXiv:2304.11127 (Optuna's).

    Example:
        {type: tpe, trials: 60}
    """

    extra: ClassVar[str | None] = "sweep"
    requires: ClassVar[tuple[str, ...]] = ("optuna",)
    type: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(10, ge=1)
    """Random trials before the densities are estimated."""
    n_ei_candidates: int = Field(24, ge=1)
    """Candidates among which the best ratio is taken."""
    multivariate: bool = True
    """Whether parameters are estimated together instead of one by one: those of each alternative with each other."""

    def build(self, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
        from dlx.searchers._optuna import OptunaSampler

        return OptunaSampler(self._sampler, space, seed, maximize)

    def _sampler(self, seed: int) -> object:
        import warnings

        from optuna.samplers import TPESampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `group` is called experimental
            return TPESampler(
                n_startup_trials=self.n_startup_trials,
                n_ei_candidates=self.n_ei_candidates,
                multivariate=self.multivariate,
                group=self.multivariate,  # else those inside of alternatives would be drawn one by one
                seed=seed,
            )
