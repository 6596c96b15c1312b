from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class GradientNoise(Regularizer):
    """Gradient noise: adds annealed Gaussian noise to the gradient.

    g ← g + N(0, σ²) with σ² = η / (1 + t)^γ at step t. Helps very deep networks out of bad initializations. The noise
    of a step is a function of (seed, step), so that it is the same in a resumed run and on all devices.

    Units:   eta is a variance, in the square of the gradient's units; 0.01, 0.3 and 1.0 in the paper.
    Source:  Neelakantan et al. 2015, arXiv:1511.06807.

    Example:
        {gradient_noise: {eta: 0.01, gamma: 0.55}}
    """

    needs_full_parameters: ClassVar[bool] = True
    primary: ClassVar[str] = "eta"
    type: Literal["gradient_noise"] = "gradient_noise"
    eta: float = Field(0.01, gt=0)
    """Variance of the noise at the first step."""
    gamma: float = Field(0.55, ge=0)
    """Exponent of the decay of the variance."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the noise."""

    def callback(self) -> pl.Callback:
        from dlx.regularizers.gradient_noise.module import GradientNoiseCallback

        return GradientNoiseCallback(self.eta, self.gamma, self.seed)
