from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class RAdam(Optimizer):
    """RAdam: Adam with a rectified adaptive learning rate, which makes learning-rate warmup unnecessary.

    θ ← θ − lr rₜ m̂ / (√v̂ + ε), with rₜ from the effective length of the average of squares, and θ ← θ − lr m̂ while
    that is below 5.

    Units:   weight_decay is multiplied by lr where it is decoupled.
    Source:  Liu et al. 2020, arXiv:1908.03265; torch.optim.RAdam.

    Example:
        {type: radam, lr: 1.0e-3, weight_decay: 0.01}
    """

    type: Literal["radam"] = "radam"
    state_per_parameter: ClassVar[float] = 2.0
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Exponential decay rates β₁, β₂ of the moving averages of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.0, ge=0)
    """Coefficient λ of weight decay."""
    decoupled_weight_decay: bool = True
    """Whether weight decay is decoupled from the gradient, as in AdamW, or an L2 penalty, as in Adam."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RAdam(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decoupled_weight_decay=self.decoupled_weight_decay,
        )
