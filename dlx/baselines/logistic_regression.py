from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class LogisticRegression(Baseline):
    """Logistic regression: a linear classifier of standardized features and one-hot categories.

    The network without its hidden layers. Labels get a classifier each.

    Source:  scikit-learn LogisticRegression, with its L-BFGS solver.

    Example:
        {type: logistic_regression, C: 0.1}
    """

    type: Literal["logistic_regression"] = "logistic_regression"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("classes", "labels")
    C: float = Field(1.0, gt=0)
    """Inverse of the strength of the L2 penalty."""

    def fits(self, problem: BaselineProblem) -> bool:
        return super().fits(problem) and problem.is_vector

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        from sklearn.linear_model import LogisticRegression as Estimator

        from dlx.baselines._features import feature_matrices, fit_probabilities

        x_NF, test_NF = feature_matrices(train, test, problem)
        estimator = Estimator(C=self.C, max_iter=1000)
        return fit_probabilities(estimator, x_NF, train.target, test_NF, len(problem.facts.classes))
