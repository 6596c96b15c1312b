"""Samples as vectors: numbers as they are, codes as one-hot vectors. N samples, F features, K classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlx.baselines import BaselineProblem, BaselineSplit


def feature_matrices(
    train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem, standardize: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features (N, F) of both splits; what is learned of them is learned from `train`.

    standardize  numbers get mean 0 and standard deviation 1, and the mean where one is missing
    """
    parts = [_field(name, train, test, standardize) for name in problem.fields]
    return np.concatenate([a for a, _ in parts], 1), np.concatenate([b for _, b in parts], 1)


def _field(name: str, train: BaselineSplit, test: BaselineSplit, standardize: bool) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    pair = [np.asarray(split.inputs[name]).reshape(len(split.target), -1) for split in (train, test)]
    if np.issubdtype(pair[0].dtype, np.integer):
        encoder: Any = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(pair[0])
        return encoder.transform(pair[0]), encoder.transform(pair[1])
    if not standardize:
        return pair[0], pair[1]
    scaler: Any = StandardScaler().fit(pair[0])
    return tuple(np.nan_to_num(scaler.transform(x)) for x in pair)  # type: ignore[return-value]


def class_probabilities(probability_NC: np.ndarray, classes_C: np.ndarray, count: int) -> np.ndarray:
    """Return probabilities (N, K) of all classes, of those that stood in the train split."""
    spread_NK = np.zeros((len(probability_NC), count))
    spread_NK[:, classes_C] = probability_NC
    return spread_NK


def fit_probabilities(estimator: Any, x_NF: Any, target: np.ndarray, test_NF: Any, count: int) -> np.ndarray:
    """Return the probabilities (N, K) that a classifier gives; one classifier for each label that both values have."""
    from sklearn.base import clone

    if target.ndim == 1:
        estimator.fit(x_NF, target)
        return class_probabilities(estimator.predict_proba(test_NF), estimator.classes_, count)
    columns = []
    for label_N in target.T:
        constant = len(np.unique(label_N)) == 1
        n = test_NF.shape[0]
        fitted = None if constant else clone(estimator).fit(x_NF, label_N)
        columns.append(np.full(n, label_N[0]) if fitted is None else fitted.predict_proba(test_NF)[:, 1])
    return np.stack(columns, 1).astype(float)
