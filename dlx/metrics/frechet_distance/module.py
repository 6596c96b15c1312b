"""Fréchet distance of two Gaussians.   N generated, M real, F features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlx.metrics._generative_torch import SampleComparison

Features = Callable[[Tensor], Tensor]


class FrechetFeatureDistance(SampleComparison):
    """The Fréchet distance of the features of two sets.

    feature_run  the run whose network extracts the features; None for the values themselves
    features     the feature extractor, which is set before the first update where a run is given
    """

    def __init__(self, max_samples: int, feature_run: str | None = None) -> None:
        super().__init__(max_samples)
        self.feature_run = feature_run
        self.features: Features = identity

    def update(self, generated: Tensor, real: Tensor, classes_B: Tensor | None = None) -> None:
        """Add the features of a batch of each, unless there are enough."""
        if not self.is_full:
            super().update(self.features(generated), self.features(real), classes_B)

    def compare(self, generated_NF: Tensor, real_MF: Tensor, classes_M: Tensor) -> Tensor:
        """Return the distance."""
        return frechet_distance(generated_NF.cpu().double(), real_MF.cpu().double()).to(generated_NF)


def identity(x: Tensor) -> Tensor:
    """Return samples themselves."""
    return x


def frechet_distance(generated_NF: Tensor, real_MF: Tensor) -> Tensor:
    """Return ‖μ − μ′‖² + tr Σ + tr Σ′ − 2 tr (Σ Σ′)^½.

    Σ Σ′ has the eigenvalues of Σ^½ Σ′ Σ^½, which is symmetric, so that rounding makes nothing complex.
    """
    shift = (generated_NF.mean(0) - real_MF.mean(0)).square().sum()
    generated_FF, real_FF = (torch.atleast_2d(features.T.cov()) for features in (generated_NF, real_MF))
    value_F, vector_FF = torch.linalg.eigh(generated_FF)
    root_FF = vector_FF * value_F.clamp_min(0).sqrt() @ vector_FF.T
    shared = torch.linalg.eigvalsh(root_FF @ real_FF @ root_FF).clamp_min(0).sqrt().sum()
    result: Tensor = shift + generated_FF.trace() + real_FF.trace() - 2 * shared
    return result
