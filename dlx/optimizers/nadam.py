from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the mean that the next step would use.

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
    """Step size of an update."""
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Decay rates of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.0, ge=0)
    """Decay of the weights."""
    decoupled_weight_decay: bool = True
    """Whether decay acts on the weights themselves, as in AdamW, or is added to the gradient."""
    momentum_decay: float = Field(4e-3, ge=0)
    """ψ, how fast the momentum grows to β₁."""

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
