from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class NearestCentroid(Baseline):
    """Nearest centroid: the class whose mean is nearest, of standardized features.

    Probabilities are those of Gaussians around the means, round and of one common variance: they leave the answer as it
    is.

    Source:  scikit-learn NearestCentroid.

    Example:
        nearest_centroid
    """

    type: Literal["nearest_centroid"] = "nearest_centroid"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("classes",)

    def fits(self, problem: BaselineProblem) -> bool:
        return super().fits(problem) and problem.is_vector

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        import numpy as np
        from scipy.special import softmax
        from sklearn.metrics import pairwise_distances
        from sklearn.neighbors import NearestCentroid as Estimator

        from dlx.baselines._features import class_probabilities, feature_matrices

        x_NF, test_NF = feature_matrices(train, test, problem)
        found = Estimator().fit(x_NF, train.target)
        own_NF = found.centroids_[np.searchsorted(found.classes_, train.target)]
        variance = max(float(((x_NF - own_NF) ** 2).mean()), 1e-12)
        squares_NC = pairwise_distances(test_NF, found.centroids_, metric="sqeuclidean")
        return class_probabilities(softmax(-squares_NC / (2 * variance), 1), found.classes_, len(problem.facts.classes))
