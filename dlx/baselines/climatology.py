from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit
from dlx.unions import single_error

if TYPE_CHECKING:
    import numpy as np


class Climatology(Baseline):
    """Climatology: the mean of the train split at the same time of the season, whatever the days before were like.

    A year of means of single days is rough, so they are averaged over a window around each. Without a season it is the
    mean of the series. Several series have one climatology together.

    Units:   window in steps of time, an odd number.
    Source:  Hyndman & Athanasopoulos 2021, Forecasting: Principles and Practice, on seasonal means; World
             Meteorological Organization 2017, Guidelines on the Calculation of Climate Normals.

    Example:
        {type: climatology, window: 31}
    """

    type: Literal["climatology"] = "climatology"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("forecast",)
    window: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1)], single_error("auto, or a positive whole number")
    ] = "auto"
    """Steps over which means are averaged, around the end of the season too; `auto` is a twelfth of the season."""

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        import numpy as np
        from scipy.ndimage import convolve1d

        season, (horizon, columns) = problem.facts.season, train.target.shape[1:]
        sums_SC, counts_S = np.zeros((season, columns)), np.zeros(season)
        phase_NT = _phases(train, horizon, season)
        np.add.at(sums_SC, phase_NT, train.target)
        np.add.at(counts_S, phase_NT, 1)
        window = np.ones(self._width(season))
        sums_SC = convolve1d(sums_SC, window, axis=0, mode="wrap")
        counts_S = convolve1d(counts_S, window, mode="wrap")
        overall_C = train.target.mean((0, 1))
        mean_SC = np.where(counts_S[:, None] > 0, sums_SC / np.maximum(counts_S, 1)[:, None], overall_C)
        found: np.ndarray = mean_SC[_phases(test, horizon, season)]
        return found

    def _width(self, season: int) -> int:
        width = season // 12 if self.window == "auto" else self.window
        return max(1, width + (width + 1) % 2)


def _phases(split: BaselineSplit, horizon: int, season: int) -> np.ndarray:
    """Return at which step of the season each step of each horizon lies (N, T)."""
    import numpy as np

    assert split.steps is not None
    found: np.ndarray = (split.steps[:, None] + np.arange(horizon)) % season
    return found
