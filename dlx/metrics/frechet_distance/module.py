"""The distance of two gaussians. N made, M real, F features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlx.metrics._made_torch import TwoSets

Features = Callable[[Tensor], Tensor]


class FeatureDistance(TwoSets):
    """Compares the features of two sets.

    asks      the run whose features are compared; None for the values themselves
    features  what makes features of samples, which is set before the first update where a run is asked
    """

    def __init__(self, samples: int, asks: str | None = None) -> None:
        super().__init__(samples)
        self.asks = asks
        self.features: Features = values

    def update(self, made: Tensor, real: Tensor, classes_B: Tensor | None = None) -> None:
        """Add the features of a batch of each, unless there is enough."""
        if not self.is_full:
            super().update(self.features(made), self.features(real), classes_B)

    def compare(self, made_NF: Tensor, real_MF: Tensor, classes_M: Tensor) -> Tensor:
        """Return the distance."""
        return distance(made_NF.cpu().double(), real_MF.cpu().double()).to(made_NF)


def values(x: Tensor) -> Tensor:
    """Return samples themselves."""
    return x


def distance(made_NF: Tensor, real_MF: Tensor) -> Tensor:
    """Return ‖μ − μ′‖² + tr Σ + tr Σ′ − 2 tr (Σ Σ′)^½.

    Σ Σ′ has the eigenvalues of Σ^½ Σ′ Σ^½, which is symmetric, so that nothing complex comes of rounding.
    """
    shift = (made_NF.mean(0) - real_MF.mean(0)).square().sum()
    made_FF, real_FF = (torch.atleast_2d(values.T.cov()) for values in (made_NF, real_MF))
    value_F, vector_FF = torch.linalg.eigh(made_FF)
    root_FF = vector_FF * value_F.clamp_min(0).sqrt() @ vector_FF.T
    shared = torch.linalg.eigvalsh(root_FF @ real_FF @ root_FF).clamp_min(0).sqrt().sum()
    found: Tensor = shift + made_FF.trace() + real_FF.trace() - 2 * shared
    return found
