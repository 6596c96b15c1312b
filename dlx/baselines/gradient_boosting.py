from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class GradientBoosting(Baseline):
    """Gradient-boosted trees: what is hard to beat on tables.

    Numbers are binned, so that they need no scaling and may be missing; categories are one-hot vectors. Each target
    column, or label, has trees of its own.

    Source:  scikit-learn HistGradientBoosting, with its own settings; Grinsztajn et al. 2022, arXiv:2207.08815.

    Example:
        {type: gradient_boosting, max_iter: 50}
    """

    type: Literal["gradient_boosting"] = "gradient_boosting"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("classes", "labels", "regression")
    max_iter: int = Field(100, ge=1)
    """Trees, of each class where there are more than two."""

    def fits(self, problem: BaselineProblem) -> bool:
        return super().fits(problem) and problem.is_table

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        from dlx.baselines._features import feature_matrices, fit_probabilities

        x_NF, test_NF = feature_matrices(train, test, problem, standardize=False)
        if problem.kind != "regression":
            estimator = HistGradientBoostingClassifier(max_iter=self.max_iter, random_state=0)
            return fit_probabilities(estimator, x_NF, train.target, test_NF, len(problem.facts.classes))
        columns = train.target.reshape(len(train.target), -1).T
        regressor = HistGradientBoostingRegressor(max_iter=self.max_iter, random_state=0)
        return np.stack([regressor.fit(x_NF, y).predict(test_NF) for y in columns], 1).reshape(test.target.shape)
