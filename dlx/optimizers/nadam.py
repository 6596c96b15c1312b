from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov momentum.

    θ ← θ − lr (μₜ₊₁ m̂ + (1 − μₜ) ĝ) / (√v̂ + ε), with μₜ = β₁ (1 − 0.96^(t ψ) / 2). Often a little faster than
    Adam in the first epochs.

    Units:   weight_decay is multiplied by lr where it is decoupled.
    Source:  Dozat 2016, ICLR workshop; torch.optim.NAdam.

    Example:
        {type: nadam, lr: 2.0e-3, weight_decay: 0.01}
    """

    type: Literal["nadam"] = "nadam"
    state_per_parameter: ClassVar[float] = 2.0
    lr: float = Field(2e-3, gt=0)
    """Learning rate."""
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Exponential decay rates β₁, β₂ of the moving averages of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.0, ge=0)
    """Coefficient λ of weight decay."""
    decoupled_weight_decay: bool = True
    """Whether weight decay is decoupled from the gradient, as in AdamW, or an L2 penalty, as in Adam."""
    momentum_decay: float = Field(4e-3, ge=0)
    """ψ: how fast the momentum grows to β₁."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.NAdam(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            momentum_decay=self.momentum_decay,
            decoupled_weight_decay=self.decoupled_weight_decay,
        )
