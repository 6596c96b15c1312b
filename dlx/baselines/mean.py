from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class Mean(Baseline):
    """Mean: always the mean of the target in the train split, whose r2 is 0.

    What a network must beat before it has learned anything from its inputs.

    Source:  scikit-learn DummyRegressor, strategy `mean`.

    Example:
        mean
    """

    type: Literal["mean"] = "mean"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("regression",)

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        import numpy as np

        mean: np.ndarray = train.target.mean(0, dtype=np.float64)
        return np.broadcast_to(mean, test.target.shape).copy()
