from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class GradientNoise(Regularizer):
    """Adds Gaussian noise to the gradient, ever less of it.

    g ← g + N(0, σ²) with σ² = η / (1 + t)^γ at step t. Helps very deep networks out of bad starts. The noise of a
    step is a function of (seed, step), so that a resumed run sees the same, and so do all devices.

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
    """How fast the variance falls."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Chooses another noise."""

    def callback(self) -> pl.Callback:
        from dlx.regularizers.gradient_noise.module import GradientNoiseCallback

        return GradientNoiseCallback(self.eta, self.gamma, self.seed)
