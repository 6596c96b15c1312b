from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class Ridge(Baseline):
    """Ridge regression: a linear map of standardized features and one-hot categories, with an L2 penalty.

    Of a series it maps the whole history to all steps of the horizon; of noisy samples it is the linear denoiser.

    Source:  scikit-learn Ridge; Hoerl & Kennard 1970, Technometrics 12.

    Example:
        {type: ridge, alpha: 10}
    """

    type: Literal["ridge"] = "ridge"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("regression", "forecast", "denoising")
    alpha: float = Field(1.0, gt=0)
    """Weight of the squared coefficients beside the sum of squared errors."""

    def fits(self, problem: BaselineProblem) -> bool:
        return super().fits(problem) and problem.is_vector

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        from sklearn.linear_model import Ridge as Estimator

        from dlx.baselines._features import feature_matrices

        x_NF, test_NF = feature_matrices(train, test, problem)
        estimator = Estimator(alpha=self.alpha).fit(x_NF, train.target.reshape(len(train.target), -1))
        found: np.ndarray = estimator.predict(test_NF).reshape(test.target.shape)
        return found
